"""Rows of PostgreSQL come to bronze exactly once, whatever is killed, late, slow, wrong or new."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import psycopg
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.assessment_service_pb2 import QUESTION_FRAUD
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.pipelines.commands import main
from mlops.pipelines.lib.appended import adopt, backfill_day, forget, ingest_rows
from mlops.pipelines.lib.catalog import LakeUnavailableError
from mlops.pipelines.lib.database import Database as Reading
from mlops.pipelines.lib.database import IngestRunningError
from mlops.pipelines.lib.feature_export import LakeReader, SnapshotGoneError
from mlops.pipelines.lib.findings import ingest_findings
from mlops.pipelines.lib.ingest import lake_of
from mlops.pipelines.lib.lake import Lake as Ingest
from mlops.pipelines.lib.lake import OtherDatabaseError, Step, TooManyRejectedError
from mlops.pipelines.lib.left_behind import left_behind
from mlops.pipelines.lib.maintenance import maintain
from mlops.pipelines.lib.new_rows import newest
from mlops.pipelines.lib.prediction_log import TopicShortenedError
from mlops.pipelines.lib.predictions import ingest_predictions, prediction_table
from mlops.pipelines.lib.reconciliation import reconcile
from mlops.pipelines.lib.rejected_share import share_of_day
from mlops.pipelines.lib.row_counts import compared
from mlops.pipelines.lib.row_rules import row_rules
from mlops.pipelines.lib.schema import SchemaConflictError
from mlops.pipelines.lib.sources import SOURCES, Source
from mlops.pipelines.lib.tables import SupersededError
from mlops.pipelines.lib.watermark import Reach
from stack.home import REPOSITORY_ROOT
from tests.engines import Engines
from tests.integration.conftest import Database, MakeTopic
from tests.lake import Lake

pytestmark = pytest.mark.timeout(300)

EVENTS = "payment_events"
TABLE = f"bronze.{EVENTS}"
STEPS: tuple[Step, ...] = ("read", "judged", "rejected", "staged", "committed")
_INSERT = """
    INSERT INTO tidegate.payment_events (event_id, provider, provider_event_id, event_type, merchant_id, amount_cents,
        currency, status, metadata, provider_created_at, processed_at, schema_version, payment_id, provider_object_id,
        receipt_id, livemode, customer_id, reason)
    SELECT 'stripe:evt_' || %(name)s || n, 'stripe', 'evt_' || n, 'payment.succeeded', 'm1', 100 + n, 'EUR',
        'succeeded', '{"a": "b, \\"c\\""}', %(day)s::timestamptz + n * interval '7 hours', now(), 1,
        'stripe:pi_' || n, 'pi_' || n,
        repeat('0', 32), true, CASE WHEN n %% 2 = 0 THEN 'cus_' || n END, E'two\nlines'
    FROM generate_series(1, %(rows)s) AS n
"""
_FUTURE = "2200-01-01"


@pytest.fixture
def stored(database: Database, lake: Lake) -> Iterator[psycopg.Connection]:
    """A connection as the writer; PostgreSQL's table and the lake are empty before the test."""
    lake.empty()
    with psycopg.connect(database.url("owner"), autocommit=True) as owner:
        owner.execute("TRUNCATE tidegate.payment_events CASCADE")
    with psycopg.connect(database.url("writer"), autocommit=True) as writer:
        yield writer


@pytest.fixture
def into(database: Database, lake: Lake) -> Ingest:
    return lake_of(lake.settings(database.name), rows_at_once=1000)


def insert(connection: psycopg.Connection, name: str, rows: int, day: str = "2026-01-01") -> None:
    connection.execute(_INSERT, {"name": name, "rows": rows, "day": day})


def in_bronze(lake: Lake, columns: tuple[str, ...] = ("event_id",)) -> pa.Table:
    return lake.catalog().load_table(TABLE).scan(selected_fields=columns).to_arrow()


def reach(lake: Lake) -> Reach:
    return Reach.of(lake.catalog().load_table(TABLE).properties)


def same(connection: psycopg.Connection, lake: Lake, day: str = _FUTURE) -> bool:
    """Whether bronze has exactly what PostgreSQL has from before a day, none twice."""
    query = "SELECT event_id FROM tidegate.payment_events WHERE provider_created_at < %s"
    ours = Counter(in_bronze(lake)["event_id"].to_pylist())
    return ours == Counter(row[0] for row in connection.execute(query, [day]))


def test_every_row_comes_once_whatever_is_killed(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    insert(stored, "good", 100)
    insert(stored, "bad", 7, day=_FUTURE)
    insert(stored, "more", 100)
    for spared, step in enumerate(STEPS):
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.lake.ingest_killed", step, str(min(spared, 1))],
            cwd=REPOSITORY_ROOT,
            env={**os.environ, **lake.environment(database.name)},
            check=False,
            timeout=60,
            capture_output=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    ingest_rows(EVENTS, into)
    assert same(stored, lake)
    rejected = lake.query("SELECT rule_id, count(*), count(DISTINCT key) FROM bronze.rejected_rows GROUP BY 1")
    assert rejected == [["not_future.provider_created_at", 7, 7]]


def test_rows_of_a_slow_transaction_are_not_skipped(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    with psycopg.connect(database.url("writer")) as slow:
        insert(slow, "slow", 3)
        insert(stored, "fast", 5)
        ingest_rows(EVENTS, into)
        slow.commit()
    assert ingest_rows(EVENTS, into).rows == 8
    assert ingest_rows(EVENTS, into).commits == 0
    assert same(stored, lake)


def test_each_commit_of_an_ingest_has_a_moment_of_its_own(stored: psycopg.Connection, lake: Lake, into: Ingest) -> None:
    """By it dbt tells what it has read: one that it read between two commits would hide the second for ever."""
    insert(stored, "many", 2500, day="2020-01-01")
    assert ingest_rows(EVENTS, into).commits == 3
    moments = Counter(in_bronze(lake, ("ingested_at",))["ingested_at"].to_pylist())
    assert [moments[at] for at in sorted(moments)] == [1000, 1000, 500]
    insert(stored, "later", 7, day="2020-01-01")
    ingest_rows(EVENTS, replace(into, now=into.now - timedelta(hours=1)))
    moments = Counter(in_bronze(lake, ("ingested_at",))["ingested_at"].to_pylist())
    assert moments[max(moments)] == 7, "though the clock was set back an hour"


def test_a_second_ingest_of_a_table_is_sent_away(stored: psycopg.Connection, into: Ingest) -> None:
    insert(stored, "a", 3)

    def at(step: Step) -> None:
        if step == "judged":
            with pytest.raises(IngestRunningError, match="is being ingested already"):
                ingest_rows(EVENTS, into)

    assert ingest_rows(EVENTS, into, at).rows == 3


def test_two_ingests_that_do_not_see_each_other_write_no_row_twice(
    stored: psycopg.Connection, lake: Lake, into: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reading, "take_turn", lambda *_: None)
    insert(stored, "a", 30)
    passes: list[Step] = []

    def at(step: Step) -> None:
        if step == "staged" and not passes:
            passes.append(step)
            insert(stored, "b", 5)
            assert ingest_rows(EVENTS, into).rows == 35

    with pytest.raises(SupersededError, match="another writer"):
        ingest_rows(EVENTS, into, at)
    assert same(stored, lake)


def test_a_commit_of_maintenance_in_between_costs_no_row(stored: psycopg.Connection, lake: Lake, into: Ingest) -> None:
    insert(stored, "a", 3)
    ingest_rows(EVENTS, into)
    insert(stored, "b", 3)
    passes: list[Step] = []

    def at(step: Step) -> None:
        if step == "staged" and not passes:
            passes.append(step)
            lake.query(f"ALTER TABLE {TABLE} EXECUTE optimize")

    insert(stored, "c", 3)
    ingest_rows(EVENTS, into, at)
    assert same(stored, lake)


def test_the_watermark_outlives_maintenance(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    for name in ("a", "b", "c"):
        insert(stored, name, 5, day="2026-02-01")
        ingest_rows(EVENTS, into)
    (done,) = maintain(lake.settings(database.name), [TABLE], keep_hours=0)
    assert (done.before.snapshots, done.after.snapshots) == (3, 1)
    assert done.after.files < done.before.files
    insert(stored, "d", 5)
    assert ingest_rows(EVENTS, into).rows == 5
    assert same(stored, lake)


def test_what_was_stored_comes_as_it_was(stored: psycopg.Connection, lake: Lake, into: Ingest) -> None:
    insert(stored, "a", 4)
    ingest_rows(EVENTS, into)
    table = lake.catalog().load_table(TABLE)
    names = [name for name in table.schema().column_names if name not in {"metadata", "ingested_at"}]
    ours = sorted(table.scan(selected_fields=tuple(names)).to_arrow().to_pylist(), key=lambda row: row["event_id"])
    query = f"SELECT {', '.join(names)} FROM tidegate.payment_events ORDER BY event_id"  # noqa: S608
    assert [list(row.values()) for row in ours] == [list(row) for row in stored.execute(query.encode())]
    assert in_bronze(lake, ("metadata",))["metadata"].to_pylist() == ['{"a": "b, \\"c\\""}'] * 4
    assert table.schema().find_field("amount_cents").doc


def test_late_rows_land_in_their_day_and_a_day_can_be_filled_again(
    stored: psycopg.Connection, lake: Lake, into: Ingest
) -> None:
    insert(stored, "a", 8)
    ingest_rows(EVENTS, into)
    insert(stored, "late", 2, day="2025-12-24")
    ingest_rows(EVENTS, into)
    lake.query("DELETE FROM bronze.payment_events WHERE event_id IN ('stripe:evt_a1', 'stripe:evt_late1')")
    for _ in range(2):
        for day in (date(2026, 1, 1), date(2025, 12, 24)):
            backfill_day(EVENTS, day, into)
        assert same(stored, lake)
    assert ingest_rows(EVENTS, into).commits == 0


def test_one_row_missing_and_another_one_doubled_are_found_with_their_days(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    """As many rows as there ought to be, on every day: only their keys tell."""
    insert(stored, "a", 8)
    insert(stored, "bad", 2, day=_FUTURE)
    ingest_rows(EVENTS, into)
    settings = lake.settings(database.name)
    found = compared(SOURCES[EVENTS], lake.catalog(), settings)
    assert (found.stored, found.ingested, found.rejected, found.differing) == (10, 8, 2, {})
    lake.query("DELETE FROM bronze.payment_events WHERE event_id = 'stripe:evt_a1'")
    lake.query("INSERT INTO bronze.payment_events SELECT * FROM bronze.payment_events WHERE event_id = 'stripe:evt_a2'")
    found = compared(SOURCES[EVENTS], lake.catalog(), settings)
    assert (found.ingested, found.doubled) == (8, 1)
    assert found.differing == {
        "2026-01-01": "PostgreSQL has 3 keys, the lake 2; 1 rows of bronze repeat a key",
    }
    lake.query("UPDATE bronze.payment_events SET event_id = 'stripe:evt_other' WHERE event_id = 'stripe:evt_a8'")
    differing = compared(SOURCES[EVENTS], lake.catalog(), settings).differing
    assert differing["2026-01-03"] == "2 keys on both sides, and not the same ones"
    for day in (date(2026, 1, 1), date(2026, 1, 3)):
        backfill_day(EVENTS, day, into)
    assert compared(SOURCES[EVENTS], lake.catalog(), settings).differing == {}


def test_what_came_since_is_compared_by_itself(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    insert(stored, "a", 8)
    insert(stored, "bad", 2, day=_FUTURE)
    ingest_rows(EVENTS, into)
    settings, since = lake.settings(database.name), reach(lake)
    insert(stored, "b", 5)
    insert(stored, "worse", 3, day=_FUTURE)
    ingest_rows(EVENTS, into)
    lake.query("DELETE FROM bronze.payment_events WHERE event_id = 'stripe:evt_a1'")
    found = compared(SOURCES[EVENTS], lake.catalog(), settings, since)
    assert (found.stored, found.ingested, found.rejected, found.differing) == (8, 5, 3, {}), (
        "what was there is left out"
    )
    lake.query("DELETE FROM bronze.payment_events WHERE event_id = 'stripe:evt_b1'")
    lake.query("INSERT INTO bronze.payment_events SELECT * FROM bronze.payment_events WHERE event_id = 'stripe:evt_b5'")
    found = compared(SOURCES[EVENTS], lake.catalog(), settings, since)
    assert found.differing == {
        "2026-01-01": "PostgreSQL has 3 keys, the lake 2",
        "2026-01-02": "1 rows of bronze repeat a key",
    }
    assert reach(lake).only_grew_since(since)
    backfill_day(EVENTS, date(2026, 1, 1), into)
    assert not reach(lake).only_grew_since(since), "rows of before are among what came since"


def test_who_asks_for_new_rows_waits_for_no_migration(stored: psycopg.Connection, database: Database) -> None:
    with psycopg.connect(database.url("owner")) as migration:
        migration.execute("LOCK TABLE tidegate.payment_events")
        with pytest.raises(LakeUnavailableError, match="lock timeout"):
            newest(database.url("lake"))
    assert newest(database.url("lake")).startswith("payment_events=")


@pytest.fixture
def gold(stored: psycopg.Connection, lake: Lake, into: Ingest) -> Callable[[], Reach]:
    """Makes silver and gold of what bronze has: payments that succeed, and nothing else. Tells how far that was."""

    def make() -> Reach:
        made_of = reach(lake)
        for schema in ("silver", "gold"):
            lake.query(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        lake.query("CREATE OR REPLACE TABLE silver.payment_events AS SELECT * FROM bronze.payment_events")
        lake.query(
            "CREATE OR REPLACE TABLE gold.fct_payments AS SELECT max(currency) AS currency, payment_id, "
            "max(amount_cents) AS authorised_cents, max(amount_cents) AS captured_cents "
            "FROM silver.payment_events GROUP BY payment_id"
        )
        for name in ("fct_refunds", "fct_disputes"):
            lake.query(
                f"CREATE TABLE IF NOT EXISTS gold.{name} "
                "(payment_id varchar, currency varchar, amount_cents bigint, is_counted boolean)"
            )
        return made_of

    return make


def test_gold_is_held_to_what_silver_was_made_of_whatever_commits_late(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest, gold: Callable[[], Reach]
) -> None:
    settings = lake.settings(database.name)
    insert(stored, "bad", 2, day=_FUTURE)
    with psycopg.connect(database.url("writer")) as slow:
        # It begins before what is ingested, and so does its stored_at; it stores after.
        slow.execute("SELECT now()")
        insert(stored, "a", 5)
        ingest_rows(EVENTS, into)
        made_of = gold()
        insert(slow, "slow", 3, day="2026-03-01")
    assert reconcile(settings, made_of)[1] == []
    # In bronze, and not in silver yet.
    ingest_rows(EVENTS, into)
    assert reconcile(settings, made_of)[1] == []
    gold()
    assert reconcile(settings, made_of)[1] == [], "dbt read later than it began"
    totals, found = reconcile(settings)
    assert (totals[0].events, found) == (8, [])
    lake.query("DELETE FROM silver.payment_events WHERE event_id = 'stripe:evt_a1'")
    assert [one.figure for one in reconcile(settings, made_of)[1]] == ["events"]


def test_silver_s_newest_batch_is_missed_where_it_is_lost_as_a_whole(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest, gold: Callable[[], Reach]
) -> None:
    for name in ("a", "b"):
        insert(stored, name, 4)
        ingest_rows(EVENTS, into)
    made_of = gold()
    settings = lake.settings(database.name)
    assert reconcile(settings, made_of)[1] == []
    lake.query("DELETE FROM silver.payment_events WHERE event_id LIKE 'stripe:evt_b%'")
    (found,) = reconcile(settings, made_of)[1]
    assert (found.figure, found.postgresql, found.gold) == ("events", 8, 4)


def test_money_is_held_to_postgresql_of_payments_that_were_touched_since_alone(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest, gold: Callable[[], Reach]
) -> None:
    settings = lake.settings(database.name)
    insert(stored, "a", 6)
    ingest_rows(EVENTS, into)
    since = gold()
    insert(stored, "b", 2)
    ingest_rows(EVENTS, into)
    made_of = gold()
    totals, found = reconcile(settings, made_of, since)
    assert (totals[0].payments, totals[0].events, found) == (2, 4, []), "with what they had before"
    lake.query("UPDATE gold.fct_payments SET captured_cents = captured_cents + 1")
    assert [one.gold - one.postgresql for one in reconcile(settings, made_of, since)[1]] == [2]
    assert [one.gold - one.postgresql for one in reconcile(settings, made_of)[1]] == [6]


def test_rows_that_a_backfill_took_out_of_bronze_are_found_in_silver(
    stored: psycopg.Connection,
    database: Database,
    lake: Lake,
    into: Ingest,
    gold: Callable[[], Reach],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    insert(stored, "a", 8)
    ingest_rows(EVENTS, into)
    settings = lake.settings(database.name)
    assert left_behind(SOURCES[EVENTS], settings) == {}, "nothing was built yet"
    gold()
    assert left_behind(SOURCES[EVENTS], settings) == {}
    with psycopg.connect(database.url("owner"), autocommit=True) as owner:
        owner.execute("DELETE FROM tidegate.payment_events WHERE event_id = 'stripe:evt_a8'")
    for name, value in lake.environment(database.name).items():
        monkeypatch.setenv(name, value)
    assert main(["backfill", EVENTS, "--day", "2026-01-03"]) == 0
    assert "of 2026-01-03 (1). What is made" in (told := capsys.readouterr().out)
    assert "--full-refresh --select silver.payment_events+" in told
    gold()
    assert left_behind(SOURCES[EVENTS], settings) == {}


def test_a_state_of_bronze_is_read_again_until_maintenance_expires_it(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    insert(stored, "a", 4)
    ingest_rows(EVENTS, into)
    read = {EVENTS: LakeReader(lake.catalog()).snapshot_id(EVENTS)}
    insert(stored, "b", 3)
    ingest_rows(EVENTS, into)
    again = LakeReader(lake.catalog(), read)
    assert sum(batch.num_rows for batch in again.batches(EVENTS, ("event_id", "no_such_column"))) == 4
    list(maintain(lake.settings(database.name), [TABLE], keep_hours=0))
    with pytest.raises(SnapshotGoneError, match="materialise features/history and features/offline again"):
        list(LakeReader(lake.catalog(), read).batches(EVENTS, ("event_id",)))


def with_field(name: str, kind: int) -> Descriptor:
    """The contract of events with one field more."""
    pool: Any = DescriptorPool()
    pending = [UnifiedPaymentEvent.DESCRIPTOR.file]
    files: dict[str, FileDescriptorProto] = {}
    while pending:
        file = pending.pop()
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        files[file.name] = proto
        pending += [other for other in file.dependencies if other.name not in files]
    own = files[UnifiedPaymentEvent.DESCRIPTOR.file.name]
    own.message_type[0].field.add(name=name, number=900, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    left = dict(files)
    while left:
        name_of_ready = next(each for each, proto in left.items() if not set(proto.dependency) & set(left))
        pool.Add(left.pop(name_of_ready))
    return cast("Descriptor", pool.FindMessageTypeByName(UnifiedPaymentEvent.DESCRIPTOR.full_name))


def use_contract(monkeypatch: pytest.MonkeyPatch, contract: Descriptor) -> None:
    changed = Source(EVENTS, contract, "event_id", "provider_created_at")
    monkeypatch.setitem(cast("dict[str, Source]", SOURCES), EVENTS, changed)


def test_a_field_added_to_the_contract_becomes_a_column_by_itself(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(stored, "old", 2)
    ingest_rows(EVENTS, into)
    use_contract(monkeypatch, with_field("tip_cents", FieldDescriptorProto.TYPE_INT64))
    insert(stored, "before", 2)
    ingest_rows(EVENTS, into)
    with psycopg.connect(database.url("owner"), autocommit=True) as owner:
        owner.execute("ALTER TABLE tidegate.payment_events ADD COLUMN tip_cents bigint")
        try:
            owner.execute("ALTER TABLE tidegate.payment_events ALTER COLUMN tip_cents SET DEFAULT 5")
            insert(stored, "after", 2)
            ingest_rows(EVENTS, into)
        finally:
            owner.execute("ALTER TABLE tidegate.payment_events DROP COLUMN tip_cents")
    tips = {row["event_id"]: row["tip_cents"] for row in in_bronze(lake, ("event_id", "tip_cents")).to_pylist()}
    assert {tips[f"stripe:evt_{name}1"] for name in ("old", "before")} == {None}
    assert tips["stripe:evt_after1"] == 5


def test_a_field_that_became_another_type_is_refused_and_nothing_is_lost(
    stored: psycopg.Connection, lake: Lake, into: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_contract(monkeypatch, with_field("note", FieldDescriptorProto.TYPE_STRING))
    insert(stored, "a", 2)
    ingest_rows(EVENTS, into)
    use_contract(monkeypatch, with_field("note", FieldDescriptorProto.TYPE_INT64))
    insert(stored, "b", 2)
    with pytest.raises(SchemaConflictError, match="new name and number"):
        ingest_rows(EVENTS, into)
    use_contract(monkeypatch, with_field("note", FieldDescriptorProto.TYPE_STRING))
    ingest_rows(EVENTS, into)
    assert same(stored, lake)


def test_another_database_is_refused_until_somebody_says_what_it_is(
    stored: psycopg.Connection, lake: Lake, into: Ingest
) -> None:
    insert(stored, "a", 2)
    ingest_rows(EVENTS, into)
    with lake.catalog().load_table(TABLE).transaction() as transaction:
        transaction.set_properties({"tidegate.database": "7000000000000000000/5"})
    insert(stored, "b", 2)
    with pytest.raises(OtherDatabaseError, match=r"pg_upgrade.*rebuild payment_events"):
        ingest_rows(EVENTS, into)
    adopt(EVENTS, into)
    assert ingest_rows(EVENTS, into).rows == 2
    forget(EVENTS, into)
    assert ingest_rows(EVENTS, into).rows == 4
    assert same(stored, lake)


@pytest.fixture
def unguarded(database: Database) -> Iterator[None]:
    """PostgreSQL without the constraints that keep poison out; they come back."""
    with psycopg.connect(database.url("owner"), autocommit=True) as owner:
        owner.execute(
            """ALTER TABLE tidegate.payment_events DROP CONSTRAINT payment_events_pkey CASCADE,
            DROP CONSTRAINT payment_events_amount_cents_check, DROP CONSTRAINT payment_events_currency_check,
            ALTER merchant_id DROP NOT NULL"""
        )
        yield
        owner.execute("TRUNCATE tidegate.payment_events CASCADE")
        owner.execute(
            """ALTER TABLE tidegate.payment_events ADD PRIMARY KEY (event_id), ADD CHECK (amount_cents >= 0),
            ADD CHECK (currency ~ '^[A-Z]{3}$'), ALTER merchant_id SET NOT NULL"""
        )
        owner.execute(
            "ALTER TABLE tidegate.decisions ADD FOREIGN KEY (event_id) REFERENCES tidegate.payment_events (event_id)"
        )


@pytest.fixture
def poisoned(stored: psycopg.Connection, database: Database, unguarded: None, into: Ingest) -> None:
    """Twelve rows of 212 that break a rule, two of them against a row that bronze has already."""
    insert(stored, "a", 200)
    ingest_rows(EVENTS, into)
    insert(stored, "b", 200)
    insert(stored, "a", 2)
    insert(stored, "b", 2)
    insert(stored, "future", 2, day=_FUTURE)
    insert(stored, "null", 2)
    insert(stored, "negative", 2)
    insert(stored, "form", 2)
    with psycopg.connect(database.url("owner"), autocommit=True) as owner:
        owner.execute("UPDATE tidegate.payment_events SET merchant_id = NULL WHERE event_id LIKE '%null%'")
        owner.execute("UPDATE tidegate.payment_events SET amount_cents = -5 WHERE event_id LIKE '%negative%'")
        owner.execute("UPDATE tidegate.payment_events SET currency = 'euro' WHERE event_id LIKE '%form%'")


def test_a_poisoned_batch_is_stopped_and_its_rows_can_be_looked_at(
    poisoned: None, stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    for _ in range(2):
        with pytest.raises(
            TooManyRejectedError, match=r"12 of 212 rows break a rule .*reject_limit of 5%.*--reject-lim"
        ):
            ingest_rows(EVENTS, into)
        counts = "SELECT rule_id, count(*) FROM bronze.rejected_rows GROUP BY 1 ORDER BY 2 DESC, 1"
        assert lake.query(counts) == [
            ["unique.event_id", 4],
            *([rule, 2] for rule in ("matches.currency", "not_future.provider_created_at")),
            *([rule, 2] for rule in ("not_negative.amount_cents", "required.merchant_id")),
        ], "of each attempt the same rows, none twice"
    assert in_bronze(lake).num_rows == 200
    assert compared(SOURCES[EVENTS], lake.catalog(), lake.settings(database.name)).differing == {}
    with psycopg.connect(database.url("owner"), autocommit=True) as owner:
        owner.execute(
            """DELETE FROM tidegate.payment_events WHERE merchant_id IS NULL OR amount_cents < 0 OR currency = 'euro'
            OR ctid IN (SELECT max(ctid) FROM tidegate.payment_events GROUP BY event_id HAVING count(*) > 1)"""
        )
        owner.execute("DELETE FROM tidegate.payment_events WHERE provider_created_at > '2100-01-01'")
    assert ingest_rows(EVENTS, into).rows == 200
    assert lake.query("SELECT count(*) FROM bronze.rejected_rows") == [[0]], "what was mended is rejected no more"


def test_small_batches_that_are_bad_add_up_to_a_day_that_is(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    insert(stored, "good", 2)
    for number in range(4):
        insert(stored, f"bad{number}", 3, day=_FUTURE)
        assert ingest_rows(EVENTS, into).rejected == 3, "each is too small to be judged"
    limit = row_rules(EVENTS).limit
    found = share_of_day(EVENTS, lake.settings(database.name), into.now)
    assert (found.ingested, found.rejected) == (2, {"not_future.provider_created_at": 12})
    assert found.stops(limit)
    assert not share_of_day(EVENTS, lake.settings(database.name), into.now + timedelta(days=2)).is_over(limit)
    for _ in range(2):
        assert backfill_day(EVENTS, date.fromisoformat(_FUTURE), replace(into, reject_limit=1)).rejected == 12
    assert lake.query("SELECT count(*) FROM bronze.rejected_rows") == [[12]]
    known = share_of_day(EVENTS, lake.settings(database.name), into.now)
    assert (known.ingested, known.rejected) == (2, {}), "what somebody let through alarms nobody"


def test_what_is_let_through_for_once_holds_nothing_back(
    poisoned: None, database: Database, lake: Lake, into: Ingest
) -> None:
    with pytest.raises(TooManyRejectedError):
        ingest_rows(EVENTS, into)
    assert share_of_day(EVENTS, lake.settings(database.name), into.now).bad == 12
    assert ingest_rows(EVENTS, replace(into, reject_limit=1)).rejected == 12
    assert lake.query("SELECT count(*) FROM bronze.rejected_rows") == [[12]]
    assert share_of_day(EVENTS, lake.settings(database.name), into.now).bad == 0
    assert compared(SOURCES[EVENTS], lake.catalog(), lake.settings(database.name)).differing == {}


def test_a_table_is_not_emptied_while_an_ingest_of_it_runs(
    stored: psycopg.Connection, database: Database, lake: Lake, into: Ingest
) -> None:
    insert(stored, "a", 2)
    ingest_rows(EVENTS, into)
    with Reading(database.url("lake")) as other:
        other.take_turn(EVENTS)
        with pytest.raises(IngestRunningError):
            forget(EVENTS, into)
    assert in_bronze(lake).num_rows == 2


def test_poison_is_named_and_kept_apart_and_the_rest_goes_on(
    poisoned: None, stored: psycopg.Connection, lake: Lake, into: Ingest
) -> None:
    insert(stored, "c", 100)
    report = ingest_rows(EVENTS, into)
    assert (report.rows, report.rejected) == (300, 12)
    assert report.rejected_by_rule == {
        "unique.event_id": 4,
        "not_future.provider_created_at": 2,
        "required.merchant_id": 2,
        "not_negative.amount_cents": 2,
        "matches.currency": 2,
    }
    kept = lake.query("SELECT row FROM bronze.rejected_rows WHERE key = 'stripe:evt_future2'")[0][0]
    assert '"customer_id": "[redacted]"' in kept
    assert "cus_" not in kept
    assert "c, " not in kept  # the metadata's
    assert lake.query("SELECT DISTINCT batch_id FROM bronze.rejected_rows WHERE source_table = 'payment_events'") == [
        [f"{EVENTS}:{report.watermark_to}"]
    ]


def test_findings_are_in_bronze_as_they_stand(database: Database, lake: Lake, into: Ingest) -> None:
    lake.empty()
    row: dict[str, Any] = {"day": date(2026, 1, 1), "at": datetime(2026, 1, 2, tzinfo=UTC)}
    insert_drift = """
        INSERT INTO tidegate.score_drift (model_name, model_version, day, predictions, mean_score, state, computed_at)
        VALUES ('fraud', '1', %(day)s, 10, %(score)s, 'ok', %(at)s)
        ON CONFLICT (model_name, model_version, day) DO UPDATE SET mean_score = excluded.mean_score,
            computed_at = excluded.computed_at + interval '1 second'
    """
    with psycopg.connect(database.url("monitor"), autocommit=True) as monitor:
        for score in (0.25, 0.5):
            monitor.execute(insert_drift, {**row, "score": score})
            assert ingest_findings("score_drift", into).rows == 1
    assert ingest_findings("score_drift", into).commits == 0
    assert lake.query("SELECT mean_score FROM bronze.score_drift") == [[0.5]]


def test_predictions_come_once_and_what_cannot_be_read_is_kept_apart(
    engines: Engines, make_topic: MakeTopic, database: Database, lake: Lake, into: Ingest
) -> None:
    lake.empty()
    topic = make_topic("inference.predictions", partitions=2)
    kafka = {"bootstrap.servers": engines.kafka_bootstrap_servers}
    publish(kafka, topic, [prediction(number) for number in range(7)])
    killed: list[Step] = []

    def at(step: Step) -> None:
        if step == "staged" and not killed:
            killed.append(step)
            raise KeyboardInterrupt

    publish(kafka, topic, [b"no frame"])
    with pytest.raises(KeyboardInterrupt):
        ingest_predictions(into, kafka, topic, at)
    assert ingest_predictions(into, kafka, topic).rows == 7
    publish(kafka, topic, [prediction(number) for number in range(7, 10)])
    assert ingest_predictions(into, kafka, topic).rows == 3
    assert ingest_predictions(into, kafka, topic).commits == 0
    assert lake.query("SELECT count(*), count(DISTINCT event_id), min(question) FROM bronze.predictions") == [
        [10, 10, "fraud"]
    ]
    assert lake.query("SELECT source_table, rule_id, count(*) FROM bronze.rejected_rows GROUP BY 1, 2") == [
        ["predictions", "readable.value", 1]
    ]


def test_a_topic_that_cannot_be_read_stands_still_until_somebody_lets_it_pass(
    engines: Engines, make_topic: MakeTopic, lake: Lake, into: Ingest
) -> None:
    lake.empty()
    topic, kafka = make_topic("inference.predictions"), {"bootstrap.servers": engines.kafka_bootstrap_servers}
    publish(kafka, topic, [b"no frame"] * 100)
    for _ in range(2):
        with pytest.raises(TooManyRejectedError, match=r"100 of 100 rows break a rule \(readable.value 100\)"):
            ingest_predictions(into, kafka, topic)
        assert lake.query("SELECT count(*), count(DISTINCT key) FROM bronze.rejected_rows") == [[100, 100]]
    assert ingest_predictions(replace(into, reject_limit=1.0), kafka, topic).commits == 1
    assert ingest_predictions(into, kafka, topic).commits == 0
    assert lake.query("SELECT count(*) FROM bronze.rejected_rows") == [[100]]


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(
    engines: Engines, make_topic: MakeTopic, lake: Lake, into: Ingest
) -> None:
    lake.empty()
    topic, kafka = make_topic("inference.predictions"), {"bootstrap.servers": engines.kafka_bootstrap_servers}
    publish(kafka, topic, [prediction(number) for number in range(4)])
    ingest_predictions(into, kafka, topic)
    other = make_topic("inference.predictions")
    with pytest.raises(TopicShortenedError, match="adopt predictions"):
        ingest_predictions(into, kafka, other)


def test_a_partition_that_is_there_no_more_is_not_passed_over(
    engines: Engines, make_topic: MakeTopic, lake: Lake, into: Ingest
) -> None:
    lake.empty()
    with prediction_table(into.catalog).transaction() as transaction:
        transaction.set_properties({"tidegate.offset.9": "4"})
    with pytest.raises(TopicShortenedError, match="partition 9: the next offset to read is 4"):
        ingest_predictions(into, {"bootstrap.servers": engines.kafka_bootstrap_servers}, make_topic("predictions"))


def prediction(number: int) -> bytes:
    """A message as it lies on the topic."""
    moment = Timestamp(seconds=1_770_000_000 + number)
    message = PredictionLogged(
        payment_id=f"stripe:pi_{number}", event_id=f"stripe:evt_{number}", merchant_id="m1", question=QUESTION_FRAUD,
        model_name="fraud", model_version="3", score=0.25, occurred_at=moment, predicted_at=moment,
    )  # fmt: skip
    return b"\0\0\0\0\7\0" + message.SerializeToString()


def publish(kafka: dict[str, str], topic: str, values: list[bytes]) -> None:
    producer = Producer({**kafka, "enable.idempotence": True})
    for number, value in enumerate(values):
        producer.produce(topic, value, key=str(number).encode())
    assert producer.flush(30) == 0


def test_a_table_that_is_not_there_yet_is_passed_over_by_maintenance(database: Database, lake: Lake) -> None:
    lake.empty()
    (done,) = maintain(lake.settings(database.name), [TABLE])
    assert str(done) == f"{TABLE}: nothing was written to it yet"
