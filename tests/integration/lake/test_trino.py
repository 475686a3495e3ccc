"""Trino and PyIceberg on one catalog; what becomes of tables when engines are killed, and of a start that fails."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pyarrow as pa
import pytest
from trino.exceptions import TrinoUserError

from stack.home import Home
from stack.processes import is_running
from tests.engines import stack_command, start_more
from tests.lake import ENGINES, Lake

pytestmark = pytest.mark.timeout(600)

EVENTS = "trial.events"
_ROWS = pa.table(
    {
        "event_id": ["stripe:evt_1", "stripe:evt_2"],
        "amount_cents": pa.array([1999, 500], pa.int64()),
        "created_at": pa.array([datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)], pa.timestamp("us", "UTC")),
    }
)


@pytest.fixture
def table(lake: Lake) -> Iterator[str]:
    """Name of a table that PyIceberg made and filled with two rows."""
    catalog = lake.catalog()
    catalog.create_namespace("trial")
    catalog.create_table("trial.events", _ROWS.schema).append(_ROWS)
    yield EVENTS
    lake.empty()


def kill(lake: Lake, name: str) -> None:
    os.kill(Home(lake.engines.home).read_state().processes[name].pid, signal.SIGKILL)


def test_trino_reads_and_writes_what_pyiceberg_made(lake: Lake, table: str) -> None:
    assert lake.query("SELECT sum(amount_cents) FROM trial.events") == [[2499]]
    lake.query("INSERT INTO trial.events VALUES ('stripe:evt_3', 1, TIMESTAMP '2026-01-03 00:00:00 UTC')")
    assert lake.catalog().load_table(table).scan().to_arrow()["amount_cents"].to_pylist().count(1) == 1


def test_pyiceberg_reads_and_writes_what_trino_made(lake: Lake, table: str) -> None:
    lake.query("CREATE TABLE trial.made WITH (partitioning = ARRAY['day(created_at)']) AS SELECT * FROM trial.events")
    made = lake.catalog().load_table("trial.made")
    made.append(_ROWS)
    assert made.scan().to_arrow().num_rows == 4
    lake.query(
        "MERGE INTO trial.made old USING trial.events new ON old.event_id = new.event_id "
        "WHEN MATCHED THEN UPDATE SET amount_cents = 7"
    )
    assert lake.catalog().load_table("trial.made").scan().to_arrow()["amount_cents"].to_pylist() == [7] * 4


def test_a_table_made_anew_under_its_old_name_does_not_have_the_old_ones_files(lake: Lake, table: str) -> None:
    for number in (1, 2):
        lake.query(f"CREATE OR REPLACE TABLE trial.again AS SELECT {number} AS number")
        lake.query("DROP TABLE IF EXISTS trial.dropped")
        lake.query(f"CREATE TABLE trial.dropped AS SELECT {number} AS number")
    assert lake.query("SELECT (SELECT number FROM trial.again), (SELECT number FROM trial.dropped)") == [[2, 2]]


def test_tables_outlive_the_kill_of_store_and_trino(lake: Lake, table: str) -> None:
    for name in ("trino", "seaweedfs"):
        kill(lake, name)
    start_more(lake.engines.home, *ENGINES)
    assert lake.query("SELECT count(*) FROM trial.events") == [[2]]
    lake.catalog().load_table(table).append(_ROWS)
    assert lake.query("SELECT count(*) FROM trial.events") == [[4]]


def test_a_start_that_fails_is_named_with_its_own_words_and_leaves_the_others_alone(lake: Lake, table: str) -> None:
    home = lake.engines.home
    kill(lake, "trino")
    wrong = {"JAVA_TOOL_OPTIONS": "-Dhttp-server.log.enabled=maybe"}
    done = stack_command(home, "up", "--engines-only", "trino", timeout=300, **wrong)
    assert done.returncode == 1
    assert "trino stopped while it was starting" in done.stdout
    assert "http-server.log.enabled" in done.stdout
    assert "Traceback" not in done.stdout
    assert is_running(Home(home).read_state().processes["seaweedfs"])
    start_more(home, "trino")
    assert lake.query("SELECT count(*) FROM trial.events") == [[2]]


def test_a_query_that_cannot_be_answered_is_refused_with_a_reason(lake: Lake) -> None:
    with pytest.raises(TrinoUserError, match="does not exist"):
        lake.query("SELECT * FROM bronze.no_such_table")


def test_trino_listens_on_loopback_alone(lake: Lake) -> None:
    process = psutil.Process(Home(lake.engines.home).read_state().processes["trino"].pid)
    addresses = {found.laddr.ip for found in process.net_connections("tcp") if found.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


def test_the_catalog_answers_nobody_who_does_not_sign(lake: Lake) -> None:
    url = lake.environment()["TIDEGATE_CATALOG_URL"]
    answer = httpx.get(f"{url}/v1/tidegate-lake/namespaces", trust_env=False)
    assert answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}


def test_keys_stand_in_no_file_of_trinos(lake: Lake) -> None:
    home = Home(lake.engines.home)
    secret = home.secrets([])["s3"]
    files = [path for path in Path(home.data("trino")).rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
