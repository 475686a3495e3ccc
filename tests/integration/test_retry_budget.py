"""No retry outside the card networks' rules: orchestrator, PostgreSQL and inference together, over many events."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.service import Topics
from services.runtime.clock import timestamp
from tests.fakes.payments import failed
from tests.fakes.times import NOW
from tests.integration.conftest import Database, MakeTopic
from tests.integration.inference_process import Inference, started
from tests.integration.orchestrator_set import OrchestratorSet, free_port

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(scope="module")
def inference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inference]:
    with started(tmp_path_factory.mktemp("inference")) as running:
        yield running


@pytest.fixture
async def stage(
    database: Database,
    make_topic: MakeTopic,
    unique_name: Callable[[str], str],
    inference: Inference,
    tmp_path: Path,
) -> AsyncIterator[OrchestratorSet]:
    """An orchestrator with the real rules behind it, and one partition: one merchant's events."""
    topics = Topics(
        make_topic("payments.normalized"),
        make_topic("payments.validation.dlq"),
        make_topic("payments.decisions"),
        unique_name("queue"),
    )
    surroundings = OrchestratorSet(
        database.environment("writer"), database.url("owner"), topics, tmp_path, inference.address
    )
    await surroundings.query("TRUNCATE tidegate.payment_events, tidegate.decisions, tidegate.decision_outbox")
    try:
        yield surroundings
    finally:
        surroundings.stop_all()


class Card:
    """A card that is declined again and again; issuer trouble, so that the ladder alone allows another try."""

    def __init__(self, set_: OrchestratorSet, brand: str | None, **facts: Any) -> None:
        self._token = set_.topics.task_queue.rpartition(".")[2]
        self._facts = {"card_brand": brand, "card_fingerprint": f"fp_{self._token}", **facts}

    def event_id(self, name: str) -> str:
        return f"stripe:evt_{name}-{self._token}"

    def charge_failed(self, name: str, ago: timedelta, **facts: Any) -> UnifiedPaymentEvent:
        return self._told(name, ago, f"ch_{name}", facts)

    def intent_failed(self, name: str, ago: timedelta, **facts: Any) -> UnifiedPaymentEvent:
        return self._told(f"{name}-intent", ago, "pi_1", facts)

    def _told(self, name: str, ago: timedelta, object_id: str, facts: dict[str, Any]) -> UnifiedPaymentEvent:
        own = {
            "payment_id": f"stripe:pi_{self._token}",
            "provider_object_id": object_id,
            "provider_created_at": timestamp(NOW - ago),
            "failure_code": "issuer_not_available",
            "decline_class": "DECLINE_CLASS_TRANSIENT",
        }
        return failed(f"{name}-{self._token}", **{**own, **self._facts, **facts})


async def decided(set_: OrchestratorSet, event_id: str) -> tuple[str, str | None, int]:
    """Action, the network rule that bounds it, and the attempts left."""
    ((action, rule, left),) = await set_.query(
        "SELECT action, network_rule, coalesce((decision -> 'retry' ->> 'attempts_left')::integer, 0)"
        " FROM tidegate.decisions WHERE event_id = %s AND NOT degraded",
        event_id,
    )
    return action, rule, left


async def decide(set_: OrchestratorSet, events: Sequence[UnifiedPaymentEvent]) -> None:
    """Deliver all of them before the first is decided, as after an outage, and wait for the decisions."""
    set_.publish_events(events)
    process = set_.launch(free_port())
    await process.ready()
    await set_.until("decisions", len({event.event_id for event in events}), 60)


async def test_the_fourteenth_decline_of_a_visa_card_is_retried_and_the_fifteenth_is_not(
    stage: OrchestratorSet,
) -> None:
    card = Card(stage, "visa")
    # Out of the 14 days in which the ladder counts tries, and so late that the budget frees none for 14 days.
    spread = [15.5 * DAY - number * timedelta(minutes=1) for number in range(13)]
    early = [
        event
        for number, ago in enumerate(spread)
        for event in (card.charge_failed(f"e{number}", ago), card.intent_failed(f"e{number}", ago))
    ]
    last = [card.charge_failed("fourteenth", DAY), card.intent_failed("fourteenth", DAY - HOUR / 3600)]
    dearer = card.charge_failed("dearer", HOUR, amount_cents=2001)
    now = [card.charge_failed("fifteenth", timedelta(0)), card.intent_failed("fifteenth", timedelta(0))]
    # The fourteenth comes twice: an event that is delivered again does not count itself.
    await decide(stage, [*early, *last, last[0], dearer, *now])

    for name in ("fourteenth", "fourteenth-intent"):
        assert await decided(stage, card.event_id(name)) == ("retry", None, 1)
    assert await decided(stage, card.event_id("dearer")) == ("retry", None, 14)
    for name in ("fifteenth", "fifteenth-intent"):
        assert await decided(stage, card.event_id(name)) == ("do_not_retry", "visa.reattempts_30d", 0)


async def test_a_late_event_is_judged_by_what_lay_before_it_and_those_after_it_by_all(stage: OrchestratorSet) -> None:
    debit = Card(stage, None, payment_method_type="us_bank_account", card_fingerprint=None, card_last_four=None)
    first, second = debit.charge_failed("first", 20 * DAY), debit.charge_failed("second", 10 * DAY)
    third = debit.charge_failed("third", timedelta(0))
    await decide(stage, [first, third, second])
    # Decided before the second one was known: one is left, as far as anybody knew.
    assert await decided(stage, debit.event_id("third")) == ("retry", None, 1)
    assert await decided(stage, debit.event_id("second")) == ("retry", None, 1)
    stage.publish_events([debit.charge_failed("fourth", -HOUR)])
    await stage.until("decisions", 4, 60)
    assert (await decided(stage, debit.event_id("fourth")))[:2] == ("do_not_retry", "nacha.reinitiations_180d")


async def test_a_mastercards_tenth_decline_of_a_day_waits_a_day_whatever_the_amounts(stage: OrchestratorSet) -> None:
    card = Card(stage, "mastercard")
    ages = [12 * HOUR - number * timedelta(minutes=1) for number in range(9)]
    nine = [card.charge_failed(f"e{number}", age, amount_cents=number) for number, age in enumerate(ages)]
    tenth = card.charge_failed("tenth", timedelta(0))
    await decide(stage, [*nine, tenth])
    assert (await decided(stage, card.event_id("e8")))[:2] == ("retry", None)
    assert await decided(stage, card.event_id("tenth")) == ("retry", "mastercard.declines_24h", 1)
    ((retry_at,),) = await stage.query(
        "SELECT retry_at FROM tidegate.decisions WHERE event_id = %s", card.event_id("tenth")
    )
    assert retry_at == NOW - 12 * HOUR + DAY + timedelta(seconds=1)
