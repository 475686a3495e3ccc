"""The schema holds all of the contract and grants no more than needed; the adapters behave as their fakes do."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from buf.validate.validate_pb2 import field as field_rules
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import OperationalError
from tidegate.annotations.v1.sensitivity_pb2 import SENSITIVITY_PERSONAL, sensitivity
from tidegate.decisions.v1.payment_decision_pb2 import (
    DECISION_ACTION_APPROVE,
    DECISION_ACTION_REVIEW,
    PaymentDecision,
)
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_FEATURES_STALE
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.adapters.attempts import PostgresAttempts
from services.orchestrator.adapters.business_rules import PostgresBusinessRules
from services.orchestrator.adapters.database import Database as Pool
from services.orchestrator.adapters.decision_store import PostgresDecisionStore
from services.orchestrator.adapters.quarantine import PostgresQuarantine
from services.orchestrator.migrations.runner import downgrade, upgrade
from tests.fakes.payments import failed, failure, recorded, refunded, succeeded
from tests.fakes.proxy import Proxy
from tests.fakes.storage import FakeDecisionStore, FakeQuarantine
from tests.integration.conftest import Database
from workflows.dlq_review.ports import Quarantine
from workflows.errors import RulesUnavailableError, StorageUnavailableError
from workflows.payment_event.contract import (
    PERSIST_OUTCOME_DUPLICATE,
    PERSIST_OUTCOME_STORED,
    PersistDecisionResult,
    PersistOutcome,
)
from workflows.payment_event.ports import DecisionStore
from workflows.storage import Refused

TABLES = [
    "blocklist",
    "decision_outbox",
    "decisions",
    "feature_drift",
    "feature_skew",
    "merchant_limits",
    "model_performance",
    "payment_events",
    "quarantine",
    "relay_progress",
    "score_drift",
]


def rows(database: Database, statement: str, *parameters: Any, role: str = "owner") -> list[tuple[Any, ...]]:
    with psycopg.connect(database.url(role), autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def columns(database: Database, table: str) -> dict[str, tuple[str, str, str]]:
    """Type, nullability and comment of each column."""
    found = rows(
        database,
        "SELECT column_name, data_type, is_nullable,"
        " col_description(to_regclass('tidegate.' || table_name), ordinal_position)"
        " FROM information_schema.columns WHERE table_schema = 'tidegate' AND table_name = %s",
        table,
    )
    return {name: (kind, nullable, comment) for name, kind, nullable, comment in found}


def expected_type(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return "jsonb" if field.message_type.GetOptions().map_entry else "timestamp with time zone"
    if field.enum_type is not None:
        return "text"
    return {
        FieldDescriptor.TYPE_STRING: "text",
        FieldDescriptor.TYPE_INT64: "bigint",
        FieldDescriptor.TYPE_INT32: "integer",
        FieldDescriptor.TYPE_BOOL: "boolean",
    }[field.type]


@pytest.mark.parametrize("field", list(UnifiedPaymentEvent.DESCRIPTOR.fields), ids=lambda field: field.name)
def test_every_field_of_the_unified_event_has_a_column_of_its_type(database: Database, field: FieldDescriptor) -> None:
    kind, nullable, comment = columns(database, "payment_events")[field.name]
    is_message = field.message_type is not None
    assert kind == expected_type(field)
    options: Any = field.GetOptions()
    is_required = options.Extensions[field_rules].required
    assert (nullable == "YES") == (field.has_presence and not is_message and not is_required)
    is_personal = options.Extensions[sensitivity] == SENSITIVITY_PERSONAL
    assert comment.startswith("PERSONAL.") == is_personal


@pytest.mark.parametrize("table", [*TABLES, "answers"])
def test_every_column_and_table_says_what_it_means(database: Database, table: str) -> None:
    assert all(comment for _, _, comment in columns(database, table).values())
    ((comment,),) = rows(database, "SELECT obj_description(to_regclass(%s))", f"tidegate.{table}")
    assert comment


def test_migrating_again_changes_nothing(database: Database) -> None:
    before = rows(database, "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'tidegate'")
    assert upgrade(database.url("owner")) == upgrade(database.url("owner"))
    assert rows(database, "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'tidegate'") == before


FORBIDDEN_TO_THE_WRITER = [
    "DELETE FROM tidegate.payment_events",
    "UPDATE tidegate.payment_events SET amount_cents = 1",
    "TRUNCATE tidegate.payment_events",
    "DROP TABLE tidegate.payment_events",
    "ALTER TABLE tidegate.payment_events ADD COLUMN extra text",
    "DELETE FROM tidegate.decisions",
    "UPDATE tidegate.decisions SET action = 'approve'",
    "DELETE FROM tidegate.quarantine",
    "INSERT INTO tidegate.blocklist (kind, value) VALUES ('customer', 'x')",
    "DELETE FROM tidegate.merchant_limits",
    "CREATE TABLE tidegate.mine (id int)",
]


@pytest.mark.parametrize("statement", FORBIDDEN_TO_THE_WRITER)
def test_the_writer_can_neither_change_nor_remove_what_is_stored(database: Database, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        rows(database, statement, role="writer")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT card_last_four FROM tidegate.payment_events",
        "SELECT decision FROM tidegate.decisions",
        "UPDATE tidegate.payment_events SET reason = 'fraudulent'",
        "INSERT INTO tidegate.quarantine (event_id) VALUES ('x')",
        "DELETE FROM tidegate.feature_skew",
    ],
)
def test_the_monitor_sees_no_more_than_labels_need_and_writes_no_event(database: Database, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        rows(database, statement, role="monitor")


@pytest.mark.parametrize("table", TABLES)
def test_the_reader_reads_and_does_nothing_else(database: Database, table: str) -> None:
    what = "*" if table != "decision_outbox" else "sequence, event_id, payment_id, stored_at"
    rows(database, f"SELECT {what} FROM tidegate.{table} LIMIT 1", role="reader")  # noqa: S608
    for verb in ("DELETE FROM", "TRUNCATE"):
        with pytest.raises(InsufficientPrivilege):
            rows(database, f"{verb} tidegate.{table}", role="reader")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT decision FROM tidegate.decision_outbox",
        "SELECT headers FROM tidegate.decision_outbox",
        "SELECT * FROM tidegate.alembic_version",
        "SELECT * FROM tidegate.made_later",
    ],
)
def test_the_reader_reads_no_message_that_waits_and_no_table_that_nobody_named(
    database: Database, statement: str
) -> None:
    rows(database, "CREATE TABLE IF NOT EXISTS tidegate.made_later (id int)")
    try:
        with pytest.raises(InsufficientPrivilege):
            rows(database, statement, role="reader")
    finally:
        rows(database, "DROP TABLE tidegate.made_later")


@pytest.fixture
def spare(database: Database) -> Iterator[str]:
    """The owner's URL of an empty database."""
    name = f"{database.name}_spare"
    owner = urlsplit(database.url("owner")).username
    with psycopg.connect(database.url("superuser"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" OWNER "{owner}"')
        yield database.engines.database_url("owner", name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def tables(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'tidegate'").fetchone()
    assert row is not None
    return int(row[0])


def test_every_version_can_be_taken_back_and_put_on_again(spare: str) -> None:
    newest = upgrade(spare)
    made = tables(spare)
    for version in reversed(range(1, int(newest))):
        assert downgrade(spare, f"{version:04}") == f"{version:04}"
    downgrade(spare, "base")
    assert tables(spare) == 1  # alembic's own
    assert upgrade(spare) == newest
    assert tables(spare) == made


def test_a_second_deployment_says_that_it_waits_and_then_finds_nothing_to_do(spare: str) -> None:
    newest = upgrade(spare)
    with psycopg.connect(spare) as other:
        other.execute("SELECT pg_advisory_xact_lock(7412903551)")
        assert upgrade(spare, on_wait=other.rollback) == newest


def test_a_migration_gives_up_on_a_table_in_use_instead_of_holding_up_the_writer(spare: str) -> None:
    upgrade(spare, "0001")
    with psycopg.connect(spare) as other:
        other.execute("LOCK TABLE tidegate.payment_events IN ROW EXCLUSIVE MODE")
        with pytest.raises(OperationalError, match="lock timeout"):
            upgrade(spare)
    assert upgrade(spare) > "0001"


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("payment_id = 'x'", "payment_events_by_payment"),
        ("customer_id = 'x'", "payment_events_by_customer"),
        ("merchant_id = 'x' AND provider_created_at > now()", "payment_events_by_merchant"),
    ],
)
def test_the_questions_people_ask_have_an_index(database: Database, condition: str, index: str) -> None:
    with psycopg.connect(database.url("owner")) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(f"EXPLAIN SELECT * FROM tidegate.payment_events WHERE {condition}").fetchall()  # noqa: S608
    assert index in str(plan)


# One behavioural suite for the fake and the real adapter.


@asynccontextmanager
async def pool(database: Database) -> AsyncIterator[Pool]:
    opened = Pool(database.url("writer"), application="test")
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture(params=["fake", "postgresql"])
async def store(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[DecisionStore]:
    rows(database, "TRUNCATE tidegate.payment_events, tidegate.decisions, tidegate.decision_outbox")
    if request.param == "fake":
        yield FakeDecisionStore()
        return
    async with pool(database) as opened:
        yield PostgresDecisionStore(opened, batch_rows=100)


def outcomes(kept: Sequence[PersistDecisionResult | Refused]) -> list[PersistOutcome]:
    return [each.outcome for each in kept if not isinstance(each, Refused)]


async def test_records_are_stored_once_and_then_duplicates(store: DecisionStore) -> None:
    records = [recorded(succeeded("a")), recorded(failed("b"))]
    assert outcomes(await store.persist(records)) == [PERSIST_OUTCOME_STORED] * 2
    assert outcomes(await store.persist([*records, recorded(refunded("c"))])) == [
        PERSIST_OUTCOME_DUPLICATE,
        PERSIST_OUTCOME_DUPLICATE,
        PERSIST_OUTCOME_STORED,
    ]


async def test_the_same_event_twice_in_one_call_is_stored_once(store: DecisionStore) -> None:
    record = recorded()
    assert outcomes(await store.persist([record, record])) == [PERSIST_OUTCOME_STORED, PERSIST_OUTCOME_DUPLICATE]


async def test_a_duplicate_is_told_with_the_action_that_is_stored(store: DecisionStore) -> None:
    await store.persist([recorded(succeeded("a"))])
    record = recorded(succeeded("a"))
    record.decision.action = DECISION_ACTION_REVIEW
    record.decision.degraded_steps.add(step="assess_payment", cause="ScoringUnavailableError")
    record.decision.degraded = True
    kept = PersistDecisionResult(outcome=PERSIST_OUTCOME_DUPLICATE, action=DECISION_ACTION_APPROVE)
    assert await store.persist([record]) == [kept]


async def test_no_record_is_no_work(store: DecisionStore) -> None:
    assert list(await store.persist([])) == []


async def test_a_refused_record_does_not_keep_the_others_out(store: DecisionStore) -> None:
    records = [recorded(succeeded(name)) for name in "abcdefg"]
    records[3].event.amount_cents = -1
    found = list(await store.persist(records))
    refused = found.pop(3)
    assert refused == Refused("payment_events_amount_cents_check")
    assert outcomes(found) == [PERSIST_OUTCOME_STORED] * 6


@pytest.fixture(params=["fake", "postgresql"])
async def quarantine(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Quarantine]:
    rows(database, "TRUNCATE tidegate.quarantine")
    if request.param == "fake":
        yield FakeQuarantine()
        return
    async with pool(database) as opened:
        yield PostgresQuarantine(opened, batch_rows=100)


async def test_the_first_failure_of_an_event_is_kept(quarantine: Quarantine) -> None:
    assert await quarantine.keep([failure("a"), failure("b"), failure("a")]) == [
        PERSIST_OUTCOME_STORED,
        PERSIST_OUTCOME_STORED,
        PERSIST_OUTCOME_DUPLICATE,
    ]
    assert await quarantine.keep([failure("b")]) == [PERSIST_OUTCOME_DUPLICATE]


# What only the real one has.


async def test_event_decision_and_outbox_row_are_all_there(database: Database) -> None:
    rows(database, "TRUNCATE tidegate.payment_events, tidegate.decisions, tidegate.decision_outbox")
    record = recorded(failed("whole", amount_cents=2**53 + 1, currency="JPY", customer_id='o"\0\\ß'))
    async with pool(database) as opened:
        await PostgresDecisionStore(opened, batch_rows=10).persist([record])
    ((amount, currency, customer, status),) = rows(
        database, "SELECT amount_cents, currency, customer_id, status FROM tidegate.payment_events"
    )
    assert (amount, currency, customer, status) == (2**53 + 1, "JPY", 'o"\ufffd\\ß', "failed")
    ((action, steps, document),) = rows(database, "SELECT action, recovery_steps, decision FROM tidegate.decisions")
    assert (action, steps) == ("retry", ["notify"])
    assert document["amount_cents"] == 2**53 + 1
    ((event_id, message, headers),) = rows(database, "SELECT event_id, decision, headers FROM tidegate.decision_outbox")
    assert event_id == "stripe:evt_whole"
    assert PaymentDecision.FromString(message) == record.decision
    assert headers["tidegate-receipt-id"] == record.event.receipt_id


async def test_each_answer_of_a_decision_is_a_row_with_its_version_and_its_reasons(database: Database) -> None:
    rows(database, "TRUNCATE tidegate.payment_events, tidegate.decisions, tidegate.decision_outbox")
    record = recorded(failed("answered"))
    decision = record.decision
    made_by = decision.retry.provenance
    made_by.model_name, made_by.model_version, made_by.model_alias, made_by.fallback = "retry", "7", "champion", False
    made_by.ClearField("fallback_cause")
    made_by.features.add(name="customer_stats:failed_payments_7d", age_ms=1500)
    made_by.features.add(name="card_stats:card_attempts_1h", missing=True)
    decision.retry.success_probability = 0.25
    decision.retry.reasons.add(code="second", description="the second reason")
    decision.churn.provenance.fallback_cause = FALLBACK_CAUSE_FEATURES_STALE
    async with pool(database) as opened:
        await PostgresDecisionStore(opened, batch_rows=10).persist([record])
    found = rows(
        database,
        "SELECT question, model_name, model_version, model_alias, fallback, fallback_cause, probability, answer,"
        " reasons, features, features_missing, oldest_feature_ms FROM tidegate.answers ORDER BY question",
        role="reader",
    )
    assert [row[0] for row in found] == ["churn", "fraud", "recovery", "retry"]
    told = {row[0]: row[1:] for row in found}
    reasons = [reason.description for reason in decision.retry.reasons]
    assert told["retry"] == ("retry", "7", "champion", False, None, 0.25, "retry", reasons, 2, 1, 1500)
    assert told["churn"][3:5] == (True, "features_stale")
    assert told["recovery"][6] == "notify"


async def test_records_of_many_workflows_go_in_together(database: Database) -> None:
    transactions = 0

    def stored() -> None:
        nonlocal transactions
        transactions += 1

    async with pool(database) as opened:
        store = PostgresDecisionStore(opened, batch_rows=100, stored=stored)
        found = await asyncio.gather(*(store.persist([recorded(succeeded(f"many{number}"))]) for number in range(60)))
    assert [outcome for each in found for outcome in outcomes(each)] == [PERSIST_OUTCOME_STORED] * 60
    assert transactions <= 3


async def test_processes_that_store_the_same_events_in_any_order_do_not_deadlock(database: Database) -> None:
    records = [recorded(succeeded(f"same{number}")) for number in range(50)]
    async with pool(database) as one, pool(database) as other:
        first, second = PostgresDecisionStore(one, batch_rows=100), PostgresDecisionStore(other, batch_rows=100)
        found = await asyncio.gather(first.persist(records), second.persist(records[::-1]))
    stored = [outcome for each in found for outcome in outcomes(each)].count(PERSIST_OUTCOME_STORED)
    assert stored == 50


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.event.provider_created_at.CopyFrom(Timestamp(seconds=10**12)),
        lambda record: record.decision.ClearField("receipt_id"),
        lambda record: setattr(record.event, "currency", "usd"),
    ],
    ids=["time beyond the calendar", "decision off contract", "constraint"],
)
async def test_each_way_of_being_refused_names_a_rule_and_stores_nothing(
    database: Database, spoil: Callable[[Any], None]
) -> None:
    record = recorded(succeeded("poison"))
    spoil(record)
    async with pool(database) as opened:
        (outcome,) = await PostgresDecisionStore(opened, batch_rows=10).persist([record])
    assert isinstance(outcome, Refused)
    assert outcome.reason
    assert "cus_ada" not in outcome.reason
    assert rows(database, "SELECT 1 FROM tidegate.payment_events WHERE event_id = 'stripe:evt_poison'") == []


async def test_rules_count_from_the_moment_they_are_committed_until_they_expire(database: Database) -> None:
    rows(database, "TRUNCATE tidegate.blocklist, tidegate.merchant_limits")
    async with pool(database) as opened:
        rules = PostgresBusinessRules(opened, batch_rows=100)

        async def broken(*events: UnifiedPaymentEvent) -> list[list[str]]:
            return [[hit.rule_id for hit in hits] for hits in await rules.check(events)]

        assert await broken(succeeded()) == [[]]
        rows(
            database,
            "INSERT INTO tidegate.blocklist (kind, value, expires_at) VALUES"
            " ('customer', 'cus_ada', NULL), ('card_fingerprint', 'fp_ada', now() - interval '1 minute')",
        )
        rows(database, "INSERT INTO tidegate.merchant_limits VALUES ('*', 'USD', 100), ('acct_vip', 'USD', 9999)")
        assert await broken(succeeded(), succeeded(merchant_id="acct_vip"), refunded(card_fingerprint=None)) == [
            ["blocklist.customer", "merchant_limit.amount"],
            ["blocklist.customer"],
            ["merchant_limit.amount"],
        ]


async def test_a_database_that_is_away_is_told_apart_from_a_refusal_and_its_password_is_not_told() -> None:
    opened = Pool("postgresql://tidegate_writer:hunter2@127.0.0.1:1/none", application="test")
    await opened.open()
    try:
        with pytest.raises(StorageUnavailableError) as storing:
            await PostgresDecisionStore(opened, batch_rows=10).persist([recorded()])
        with pytest.raises(RulesUnavailableError) as checking:
            await PostgresBusinessRules(opened, batch_rows=10).check([succeeded()])
    finally:
        await opened.close()
    for raised in (storing, checking):
        assert "hunter2" not in str(raised.value)
        assert raised.value.__cause__ is None
    assert opened.trouble is not None


async def test_a_server_that_falls_silent_is_left_for_the_one_in_its_place(database: Database) -> None:
    async with Proxy("127.0.0.1", urlsplit(database.url()).port or 0) as proxy:
        opened = Pool(proxy.instead_of(database.url("writer")), application="test")
        await opened.open()
        watching = asyncio.create_task(opened.watch(0.2))
        rules, store = PostgresBusinessRules(opened, batch_rows=10), PostgresDecisionStore(opened, batch_rows=10)
        attempts = PostgresAttempts(opened)
        try:
            await asyncio.gather(rules.check([succeeded()]), attempts.before([failed()]), opened_twice(opened))
            proxy.silence()
            calls = [rules.check([succeeded()]), attempts.before([failed()]), store.persist([recorded()])]
            async with asyncio.timeout(12):
                lost = await asyncio.gather(*calls, return_exceptions=True)
            async with asyncio.timeout(3):
                await rules.check([succeeded()])
                await attempts.before([failed()])
                await store.persist([recorded(succeeded("after"))])
        finally:
            watching.cancel()
            await opened.close()
    assert any("PostgreSQL is silent" in str(error) for error in lost)
    assert opened.trouble is None


async def opened_twice(pool: Pool) -> None:
    """So that more than one connection leads to the server."""
    async with pool.connection(), pool.connection():
        pass


async def until_told(pool: Pool, trouble: str) -> None:
    while trouble not in str(pool.trouble):  # noqa: ASYNC110 - the watch has no event
        await asyncio.sleep(0.05)


async def test_a_silent_server_is_told_within_seconds(database: Database) -> None:
    async with Proxy("127.0.0.1", urlsplit(database.url()).port or 0) as proxy:
        opened = Pool(proxy.instead_of(database.url("writer")), application="test")
        await opened.open()
        watching = asyncio.create_task(opened.watch(0.2))
        try:
            async with asyncio.timeout(10):
                await until_told(opened, "None")
                proxy.silence()
                await until_told(opened, "PostgreSQL is silent")
                await until_told(opened, "None")
        finally:
            watching.cancel()
            await opened.close()


async def test_what_a_machine_that_is_gone_never_acknowledges_ends_the_connection(database: Database) -> None:
    async with pool(database) as opened, opened.connection() as connection:
        with socket.socket(fileno=os.dup(connection.fileno())) as wire:
            assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


async def test_a_database_without_tables_says_what_to_run(database: Database) -> None:
    with psycopg.connect(database.url("superuser"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty_one")
    try:
        url = database.engines.database_url("superuser", "empty_one")
        opened = Pool(url, application="test")
        await opened.open()
        watching = asyncio.create_task(opened.watch(0.05))
        for _ in range(100):
            await asyncio.sleep(0.05)
            if "migrations" in str(opened.trouble):
                break
        watching.cancel()
        await opened.close()
        assert "python -m services.orchestrator.migrations" in str(opened.trouble)
    finally:
        with psycopg.connect(database.url("superuser"), autocommit=True) as connection:
            connection.execute("DROP DATABASE empty_one WITH (FORCE)")
