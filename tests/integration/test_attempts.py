"""Earlier attempts as PostgreSQL knows them: the same answers as in memory, by an index, within the window."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.adapters import attempts as adapter
from services.orchestrator.adapters.attempts import PostgresAttempts
from services.orchestrator.adapters.database import Database as Pool
from services.orchestrator.adapters.decision_store import PostgresDecisionStore
from services.orchestrator.migrations.runner import downgrade, upgrade
from services.runtime.clock import timestamp
from tests.fakes.payments import failed, recorded, succeeded
from tests.fakes.storage import FakeAttempts
from tests.fakes.times import NOW
from tests.integration.conftest import Database
from workflows.errors import AttemptsUnavailableError
from workflows.payment_event.attempts import LOOKBACK_HOURS, MOST_ROWS, failed_event
from workflows.payment_event.ports import AttemptHistory, EarlierAttempts

LOOKBACK = timedelta(hours=LOOKBACK_HOURS)

Know = Callable[[Sequence[UnifiedPaymentEvent]], Awaitable[AttemptHistory]]


def tried(name: str, ago: timedelta = timedelta(0), **changes: Any) -> UnifiedPaymentEvent:
    """A failed charge of a payment that is tried again and again."""
    own = {
        "payment_id": "stripe:pi_1",
        "provider_object_id": f"ch_{name}",
        "provider_created_at": timestamp(NOW - ago),
    }
    return failed(name, **{**own, **changes})


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


@asynccontextmanager
async def pool(url: str) -> AsyncIterator[Pool]:
    opened = Pool(url, application="test")
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


def run(database: Database, statement: str, role: str = "owner") -> list[tuple[Any, ...]]:
    with psycopg.connect(database.url(role), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def postgresql(database: Database) -> AsyncIterator[Know]:
    """An AttemptHistory over what the orchestrator's own store has written, as the writer role."""
    run(database, "TRUNCATE tidegate.payment_events, tidegate.decisions, tidegate.decision_outbox")
    async with pool(database.url("writer")) as opened:

        async def know(events: Sequence[UnifiedPaymentEvent]) -> AttemptHistory:
            await PostgresDecisionStore(opened, batch_rows=500).persist([recorded(event) for event in events])
            return PostgresAttempts(opened)

        yield know


@pytest.fixture(params=["fake", "postgresql"])
async def know(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Know]:
    if request.param == "fake":

        async def in_memory(events: Sequence[UnifiedPaymentEvent]) -> AttemptHistory:
            return FakeAttempts(list(events))

        yield in_memory
        return
    async with postgresql(database) as real:
        yield real


async def counted(know: Know, event: UnifiedPaymentEvent, *known: UnifiedPaymentEvent) -> tuple[int, int]:
    """How many attempts are known for the event's amount, and for others."""
    (earlier,) = await (await know(known)).before([event])
    return len(earlier.same_amount), len(earlier.other_amounts)


async def test_attempts_are_told_by_card_and_amount(know: Know) -> None:
    history = await know(
        [
            tried("a", hours(3)),
            tried("b", hours(2), amount_cents=2001),
            tried("c", hours(1), card_fingerprint="fp_bob"),
            tried("d", hours(1), currency="EUR"),
            succeeded("e", provider_created_at=timestamp(NOW - hours(1))),
            tried("f", hours(1), livemode=False),
        ]
    )
    ada, bob, nobody = await history.before(
        [tried("x"), tried("y", card_fingerprint="fp_bob"), tried("z", card_fingerprint="fp_eve")]
    )
    assert ada == EarlierAttempts([NOW - hours(3)], [NOW - hours(2), NOW - hours(1)])
    assert bob == EarlierAttempts([NOW - hours(1)], [])
    assert nobody == EarlierAttempts([], [])


async def test_two_events_about_one_attempt_and_an_event_again_count_once(know: Know) -> None:
    intent = tried("i", hours(1), provider_object_id="pi_1")
    own = tried("own", provider_object_id="pi_1")
    assert await counted(know, tried("own2"), tried("c", hours(1)), intent, own, tried("own2")) == (1, 0)


async def test_later_attempts_do_not_count(know: Know) -> None:
    known = [tried("later", timedelta(seconds=-1)), tried("together"), tried("before", timedelta(seconds=1))]
    assert await counted(know, tried("x"), *known) == (2, 0)


async def test_a_card_without_fingerprint_is_looked_for_by_payment_and_customer(know: Know) -> None:
    unknown: dict[str, Any] = {"card_fingerprint": None}
    known = [
        tried("a", hours(5), **unknown),
        tried("b", hours(4), payment_id="stripe:pi_2", **unknown),
        tried("c", hours(3), payment_id="stripe:pi_3"),
        tried("d", hours(2), payment_id="stripe:pi_4", customer_id="cus_bob", **unknown),
        tried("e", hours(1), payment_id="stripe:pi_5", merchant_id="acct_other", **unknown),
    ]
    history = await know(known)
    without, with_, guest = await history.before(
        [tried("x", **unknown), tried("y"), tried("z", customer_id=None, **unknown)]
    )
    assert without.same_amount == [NOW - hours(5), NOW - hours(4), NOW - hours(3)]
    assert with_.same_amount == [NOW - hours(5), NOW - hours(4), NOW - hours(3)]
    assert guest.same_amount == [NOW - hours(5)]


async def test_no_event_is_no_question(know: Know) -> None:
    assert list(await (await know([])).before([])) == []


async def test_the_window_holds_its_edge_and_nothing_older(database: Database) -> None:
    async with postgresql(database) as know:
        known = [tried("edge", LOOKBACK), tried("older", LOOKBACK + timedelta(microseconds=1))]
        (earlier,) = await (await know(known)).before([tried("x")])
    assert earlier.same_amount == [NOW - LOOKBACK]


async def test_times_are_compared_as_they_are_stored(database: Database) -> None:
    known, event = tried("known"), tried("x")
    known.provider_created_at.nanos = event.provider_created_at.nanos = 123_456_789
    async with postgresql(database) as know:
        (earlier,) = await (await know([known])).before([event])
    assert earlier.same_amount == [failed_event(event).provider_created_at]


async def test_rows_are_bounded_and_other_amounts_cannot_crowd_out_the_same_one(database: Database) -> None:
    other = [tried(f"other{number}", timedelta(seconds=number), amount_cents=number) for number in range(MOST_ROWS + 5)]
    same = [tried(f"same{number}", hours(24 + number)) for number in range(MOST_ROWS + 5)]
    async with postgresql(database) as know:
        (earlier,) = await (await know([*other, *same])).before([tried("x", payment_id="stripe:pi_x")])
    assert len(earlier.same_amount) == MOST_ROWS
    assert earlier.same_amount[-1] == NOW - hours(24)
    assert len(earlier.other_amounts) == MOST_ROWS


async def test_many_workflows_ask_in_few_queries(database: Database) -> None:
    async with postgresql(database) as know:
        history = await know([tried(f"of{number}", hours(1), card_fingerprint=f"fp_{number}") for number in range(60)])
        assert isinstance(history, PostgresAttempts)
        queries = 0
        ask = history._database.connection

        def counting() -> Any:
            nonlocal queries
            queries += 1
            return ask()

        history._database.connection = counting  # type: ignore[method-assign,assignment]
        answers = await asyncio.gather(
            *(history.before([tried(f"x{number}", card_fingerprint=f"fp_{number}")]) for number in range(60))
        )
    assert [len(earlier.same_amount) for (earlier,) in answers] == [1] * 60
    assert queries <= 3


def test_each_way_to_find_a_card_has_an_index_that_serves_it(database: Database) -> None:
    run(database, "TRUNCATE tidegate.payment_events, tidegate.decisions, tidegate.decision_outbox")
    run(
        database,
        "INSERT INTO tidegate.payment_events (event_id, provider, provider_event_id, event_type, merchant_id,"
        " customer_id, amount_cents, currency, status, metadata, provider_created_at, processed_at, schema_version,"
        " payment_id, provider_object_id, receipt_id, card_fingerprint, livemode)"
        " SELECT 'stripe:evt_' || n, 'stripe', 'evt_' || n, 'payment.failed', 'acct_' || n % 50, 'cus_' || n % 2000,"
        " n % 97, 'USD', 'failed', '{}', now() - n * interval '1 minute', now(), 1, 'stripe:pi_' || n / 3, 'ch_' || n,"
        " '', CASE WHEN n % 4 > 0 THEN 'fp_' || n % 400 END, true FROM generate_series(1, 20000) AS n",
    )
    run(database, "ANALYZE tidegate.payment_events")
    with psycopg.connect(database.url("writer"), autocommit=True) as connection:
        rows = connection.execute(f"EXPLAIN {adapter._READ}", adapter._parameters([failed_event(tried("x"))]))
        plan = "\n".join(line for (line,) in rows)
    assert set(re.findall(r"payment_events_\w+", plan)) == {
        "payment_events_failed_by_card",
        "payment_events_failed_by_payment",
        "payment_events_failed_by_customer",
    }
    assert "Seq Scan" not in plan


async def test_an_answer_that_cannot_be_had_is_an_error_without_values(database: Database) -> None:
    async with pool("postgresql://tidegate_writer:hunter2@127.0.0.1:1/none") as away:
        with pytest.raises(AttemptsUnavailableError) as raised:
            await PostgresAttempts(away).before([tried("x")])
    assert "hunter2" not in str(raised.value)
    beyond = tried("x")
    beyond.provider_created_at.seconds = 10**12
    async with pool(database.url("writer")) as opened:
        with pytest.raises(AttemptsUnavailableError, match="beyond the calendar"):
            await PostgresAttempts(opened).before([beyond])


def test_the_indexes_can_be_taken_back_and_made_again(database: Database) -> None:
    def indexes() -> int:
        return len(run(database, "SELECT 1 FROM pg_indexes WHERE indexname LIKE 'payment_events_failed_by_%'"))

    newest = upgrade(database.url())
    assert indexes() == 3
    assert downgrade(database.url(), "0001") == "0001"
    assert indexes() == 0
    assert upgrade(database.url()) == newest
    assert indexes() == 3
