"""Dagster as `make up PROFILE=lake` runs it: it starts what is due by itself, and runs outlive its processes.

With TIDEGATE_TEST_HOME the database of that home, `tidegate`, is written to: it is the one that its Dagster reads.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from trino.exceptions import TrinoUserError

from mlops.pipelines.lib.launcher import Worker
from stack.deploy import MIGRATE
from stack.engines.dagster import LOCATION, PROGRAMS
from stack.home import REPOSITORY_ROOT, Home
from stack.lake_figures import question, told
from tests.engines import stack_command, start_more
from tests.lake import Lake

pytestmark = pytest.mark.timeout(600)

NAMES = tuple(program.name for program in PROGRAMS)
_RUN_SECONDS = 240.0
_LAUNCH = """mutation($of: ExecutionParams!) { launchRun(executionParams: $of) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_RUNS = "query($by: RunsFilter!) { runsOrError(filter: $by) { ... on Runs { results { runId jobName } } } }"
_CURSOR = """mutation($of: SensorSelector!, $cursor: String) {
    setSensorCursor(sensorSelector: $of, cursor: $cursor) { __typename ... on PythonError { message } } }"""
_TRY = """mutation($of: SensorSelector!, $cursor: String) { sensorDryRun(selectorData: $of, cursor: $cursor) {
    ... on DryRunInstigationTick { evaluationResult { cursor skipReason runRequests { runKey } error { message } } }
    ... on PythonError { message } } }"""
_BACKFILL = """mutation($of: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $of) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_CANCEL = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
_OF = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

DAY = "2026-01-02"
_STORE = """
    INSERT INTO tidegate.payment_events (event_id, provider, provider_event_id, event_type, merchant_id, amount_cents,
        currency, status, metadata, provider_created_at, processed_at, schema_version, payment_id, provider_object_id,
        receipt_id, livemode)
    SELECT 'stripe:evt_' || %(name)s || n, 'stripe', 'evt_' || %(name)s || n, 'payment.succeeded', 'm1', 100, 'EUR',
        'succeeded', '{}', timestamptz '2026-01-01 00:00:00Z' + n * interval '12 hours', now(), 1, 'stripe:pi_' || n,
        'pi_' || n, repeat('0', 32), true
    FROM generate_series(1, %(rows)s) AS n
"""
_ALERT = """
    INSERT INTO tidegate.score_drift (model_name, model_version, day, predictions, mean_score, psi, state, computed_at)
    VALUES ('fraud', '1', %(at)s::timestamptz::date, 900, 0.2, 0.9, 'alert', %(at)s)
"""


class Dagster:
    """What people do on its pages, asked of them directly."""

    def __init__(self, lake: Lake) -> None:
        self.home = Home(lake.engines.home)

    def ask(self, question: str, **values: object) -> Any:
        port = self.home.read_state().ports["dagster"]
        asked = {"query": question, "variables": values}
        answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=asked, timeout=30.0, trust_env=False)
        told = answer.raise_for_status().json()
        assert "errors" not in told, told
        return told["data"]

    def launch(self, job: str, *asset: str) -> str:
        selector = {**_OF, "jobName": job, "assetSelection": [{"path": asset}]}
        launched = self.ask(_LAUNCH, of={"selector": selector, "mode": "default", "runConfigData": {}})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def status(self, run: str) -> str:
        return str(self.ask(_RUN, id=run)["runOrError"]["status"])

    def await_status(self, run: str, fits: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + _RUN_SECONDS
        while not fits(status := self.status(run)) and time.monotonic() < deadline:
            time.sleep(0.5)
        return status

    def runs(self, tag: str, value: str) -> list[tuple[str, str]]:
        """Id and job of the runs with a tag."""
        found = self.ask(_RUNS, by={"tags": [{"key": tag, "value": value}]})["runsOrError"]["results"]
        return [(run["runId"], run["jobName"]) for run in found]

    def await_runs(self, tag: str, value: str) -> list[tuple[str, str]]:
        deadline = time.monotonic() + _RUN_SECONDS
        while not (found := self.runs(tag, value)) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def cancel(self, run: str) -> str:
        """How the run ended; one that is just being started can be asked a moment later."""
        deadline = time.monotonic() + _RUN_SECONDS
        while self.ask(_CANCEL, id=run)["terminateRun"]["__typename"] != "TerminateRunSuccess":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        ended = self.await_status(run, lambda status: status in _ENDED)
        while self.works(run) and time.monotonic() < deadline:
            time.sleep(0.5)
        return ended

    def set_cursor(self, sensor: str, cursor: str) -> None:
        told = self.ask(_CURSOR, of={**_OF, "sensorName": sensor}, cursor=cursor)["setSensorCursor"]
        assert told["__typename"] == "Sensor", told

    def would_start(self, sensor: str, cursor: str) -> Any:
        """What the sensor says now of a past that ended at the cursor; nothing is started."""
        told = self.ask(_TRY, of={**_OF, "sensorName": sensor}, cursor=cursor)["sensorDryRun"]["evaluationResult"]
        assert told["error"] is None, told
        return told

    def backfill(self, job: str, *partitions: str) -> str:
        of = {"partitionSetName": f"{job}_partition_set", "repositorySelector": _OF}
        told = self.ask(_BACKFILL, of={"selector": of, "partitionNames": partitions})["launchPartitionBackfill"]
        assert told["__typename"] == "LaunchBackfillSuccess", told
        return str(told["backfillId"])

    def works(self, run: str) -> bool:
        """Whether the run's process is there."""
        file = self.home.data("dagster") / "workers" / f"{run}.json"
        return file.exists() and Worker(**json.loads(file.read_text(encoding="utf-8"))).is_there()

    def log(self, run: str) -> str:
        return (self.home.data("dagster") / "workers" / f"{run}.log").read_text(encoding="utf-8")[-3000:]

    def kill(self) -> None:
        processes = self.home.read_state().processes
        for name in NAMES:
            os.kill(processes[name].pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def stored(lake: Lake) -> Iterator[psycopg.Connection]:
    """The database that Dagster reads, as the role that may do all: a few days of events, and an alarm of the watch."""
    environment = {**os.environ, **lake.engines.environment("owner")}
    subprocess.run(MIGRATE, cwd=REPOSITORY_ROOT, env=environment, check=True, capture_output=True, timeout=120)
    with psycopg.connect(lake.engines.database_url("superuser", "tidegate"), autocommit=True) as connection:
        connection.execute("TRUNCATE tidegate.payment_events, tidegate.score_drift CASCADE")
        connection.execute(_STORE, {"name": "a", "rows": 6})
        connection.execute(_ALERT, {"at": "2026-01-10 00:00:00+00"})
        yield connection
        connection.execute("TRUNCATE tidegate.payment_events, tidegate.score_drift CASCADE")


@pytest.fixture(scope="module")
def nothing_run(lake: Lake) -> None:
    """Dagster knows of no run and no sensor: an earlier module, or run, may have left it some."""
    with psycopg.connect(lake.engines.database_url("superuser", "tidegate_dagster"), autocommit=True) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in found:
            if table != "alembic_version":
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table)))


@pytest.fixture(scope="module")
def dagster(lake: Lake, nothing_run: None, stored: psycopg.Connection) -> Iterator[Dagster]:
    """Its three processes on the engines of the run."""
    start_more(lake.engines.home, *NAMES)
    yield Dagster(lake)
    stack_command(lake.engines.home, "down", *NAMES, timeout=120)


def in_bronze(lake: Lake, day: str = "") -> int:
    """How many events of a day, or of all, are in bronze; none where the table is not there yet."""
    condition = f" WHERE cast(provider_created_at AS date) = date '{day}'" if day else ""
    try:
        return int(lake.query(f"SELECT count(*) FROM bronze.payment_events{condition}")[0][0])  # noqa: S608 - of ours
    except TrinoUserError:
        return 0


def test_sensors_start_what_is_due_by_themselves(lake: Lake, dagster: Dagster) -> None:
    ((trained, learn),) = dagster.await_runs("dagster/sensor_name", "drift_alarm")
    assert (learn, dagster.cancel(trained)) == ("learn", "CANCELED")
    ((ingests, refresh),) = dagster.await_runs("dagster/sensor_name", "new_data")
    assert refresh == "refresh"
    # Only now: new data start no refresh while another waits.
    dagster.set_cursor("contract_change", "those of before")
    deadline = time.monotonic() + _RUN_SECONDS
    while in_bronze(lake) < 6 and dagster.status(ingests) not in _ENDED and time.monotonic() < deadline:
        time.sleep(1)
    assert in_bronze(lake) == 6, dagster.log(ingests)
    # Of what follows, dbt, other tests tell.
    assert dagster.cancel(ingests) == "CANCELED", dagster.log(ingests)
    ((changed, after_change),) = dagster.await_runs("dagster/sensor_name", "contract_change")
    assert (after_change, dagster.cancel(changed)) == ("refresh", "CANCELED")
    assert [run for run in (trained, changed, ingests) if dagster.works(run)] == [], "nothing goes on after it"


def test_rows_that_were_seen_start_nothing_and_one_more_does(dagster: Dagster, stored: psycopg.Connection) -> None:
    seen = dagster.would_start("new_data", "")["cursor"]
    assert dagster.would_start("new_data", seen)["runRequests"] in (None, [])
    stored.execute(_STORE, {"name": "b", "rows": 1})
    told = dagster.would_start("new_data", seen)
    assert len(told["runRequests"] or []) == 1, (seen, told)


def test_contracts_that_are_taken_back_have_changed_again(dagster: Dagster) -> None:
    (asked,) = dagster.would_start("contract_change", "those of before")["runRequests"]
    assert asked["runKey"] is None, "Dagster starts nothing twice for one key"


def test_an_alarm_that_stands_starts_no_training_before_a_week_is_over(
    dagster: Dagster, stored: psycopg.Connection
) -> None:
    trained_at = dagster.would_start("drift_alarm", "")["cursor"]
    for day, runs in (("11", 0), ("16", 0), ("18", 1)):
        stored.execute(_ALERT, {"at": f"2026-01-{day} 00:00:00+00"})
        assert len(dagster.would_start("drift_alarm", trained_at)["runRequests"] or []) == runs, day


def test_a_day_is_filled_again_by_a_backfill(lake: Lake, dagster: Dagster) -> None:
    before = in_bronze(lake, DAY)
    assert before
    lake.query(f"DELETE FROM bronze.payment_events WHERE cast(provider_created_at AS date) = date '{DAY}'")  # noqa: S608
    backfill = dagster.backfill("backfill", DAY)
    ((run, job),) = dagster.await_runs("dagster/backfill", backfill)
    assert job == "backfill"
    assert dagster.await_status(run, lambda status: status in _ENDED) == "SUCCESS", dagster.log(run)
    assert in_bronze(lake, DAY) == before


def test_a_run_outlives_the_kill_of_daemon_pages_and_code_server(lake: Lake, dagster: Dagster) -> None:
    run = dagster.launch("maintain", "maintenance", "payment_events")
    assert dagster.await_status(run, lambda status: status in {"STARTED", *_ENDED}) == "STARTED"
    dagster.kill()
    start_more(lake.engines.home, *NAMES)
    assert dagster.await_status(run, lambda status: status in _ENDED) == "SUCCESS", dagster.log(run)


def test_its_state_is_in_a_database_of_its_own(lake: Lake, dagster: Dagster) -> None:
    with psycopg.connect(lake.engines.database_url("superuser", "tidegate_dagster")) as connection:
        found = connection.execute("SELECT count(*) FROM runs").fetchone()
    assert found is not None
    assert found[0] >= 1


def test_the_pipelines_are_loaded_and_every_daemon_is_alive(lake: Lake, dagster: Dagster) -> None:
    told = dagster.ask("{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }")
    assert told["workspaceOrError"]["locationEntries"] == [{"name": LOCATION, "loadStatus": "LOADED"}]
    screen = stack_command(lake.engines.home, "status", timeout=60).stdout.splitlines()
    ready = {line.split()[0] for line in screen if " pid " in line and line.endswith("ready")}
    assert ready >= set(NAMES)


def test_the_status_screen_tells_how_jobs_and_checks_are(dagster: Dagster) -> None:
    now = time.time_ns() / 1e9
    jobs, *others = told(dagster.ask(question(now)), now)
    assert {part.split()[0] for part in jobs.split("  ")} >= {"refresh", "learn", "watch", "maintain", "backfill"}
    assert re.search(r"\n[1-9]\d+ checks, \d+ being made", "\n".join(["", *others]))
