"""History rows are what gateway and normalizer make of the events' bodies, and no truth is in either."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson
import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.gateway.handler import Arrival, Publish, StripeEndpoint, handle
from services.gateway.providers.stripe import signing_secrets
from services.orchestrator.rows import event_row
from services.runtime.clock import timestamp
from services.simulator.behaviour.assumptions import load_assumptions
from services.simulator.behaviour.history import COLUMNS, history, row_of
from services.simulator.behaviour.labels import ATTEMPTS, CURVES, CUSTOMERS, DECISIONS, HOURLY, PAYMENTS
from services.simulator.behaviour.telling import Told
from services.simulator.behaviour.webhooks import webhook
from services.simulator.signature import Signing, signature_header
from tests.unit.normalizer.tables import NORMALIZER, POSITION
from tests.unit.simulator.behaviour.worlds import world

pytestmark = pytest.mark.slow

SECRET = "whsec_world"
ENDPOINT = StripeEndpoint(signing_secrets(SECRET), "merchant_default", 300)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Of every kind of event, so many are compared.
EACH = 5


@cache
def sample() -> list[Told]:
    """Some of every event type, of every API version, failed tries and refunds and attacks among them."""
    kinds: dict[tuple[str, str, str, bool], list[Told]] = defaultdict(list)
    for event in world(1500).told:
        story = event.story
        code = story.tries[event.tries - 1].decline if event.tries else None
        kinds[event.type, story.seller.version.name, code.code if code else "", story.scenario is not None].append(
            event
        )
    return [event for events in kinds.values() for event in events[:EACH]]


@cache
def bodies() -> tuple[bytes, ...]:
    return tuple(webhook(event).body for event in world(150, 3).told)


def normalised(event: Told) -> dict[str, Any]:
    """What the platform makes of the event's body."""
    body = webhook(event).body
    arrived = EPOCH + timedelta(microseconds=event.processed_us)
    signature = signature_header(body, SECRET, int(arrived.timestamp()), Signing.VALID)
    assert signature is not None
    taken = handle(Arrival(body, signature.encode(), event.receipt_id, arrived), ENDPOINT)
    assert isinstance(taken, Publish)
    assert taken.outcome == "accepted", taken.rule_ids
    outcome = NORMALIZER.normalize(taken.message, POSITION, timestamp(arrived))
    assert isinstance(outcome, UnifiedPaymentEvent), outcome
    times = {name: getattr(outcome, name).ToMicroseconds() for name in ("provider_created_at", "processed_at")}
    return {**event_row(outcome), **times}


def test_the_sample_holds_every_kind_of_event() -> None:
    types = {event.type for event in sample()}
    assert types == {
        "charge.succeeded",
        "charge.failed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.closed",
        "payment_intent.created",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "refund.created",
        "refund.updated",
    }
    assert {event.story.scenario for event in sample()} == {None, "card_testing", "account_takeover", "high_amount"}
    assert len({event.story.seller.version.name for event in sample()}) >= 3


def test_rows_are_what_the_platform_makes_of_the_bodies() -> None:
    for event in sample():
        assert row_of(event) == normalised(event), event.type


def test_every_api_version_and_decline_code_agrees() -> None:
    """A smaller world of another seed, every merchant of it."""
    for event in world(600, 11, 60).told[::7]:
        assert row_of(event) == normalised(event), event.type


def test_columns_are_the_contracts_fields() -> None:
    fields = {field.name for field in UnifiedPaymentEvent.DESCRIPTOR.fields}
    assert set(COLUMNS) == fields
    assert all(list(row) == list(COLUMNS) for row in history(world().told[:100]))


def test_rows_come_in_the_order_of_arrival_and_some_arrive_late() -> None:
    rows = list(history(world().told))
    arrivals = [row["processed_at"] for row in rows]
    assert arrivals == sorted(arrivals)
    late = [row for row in rows if row["processed_at"] - row["provider_created_at"] > 60_000_000]
    assert 0.002 < len(late) / len(rows) < 0.02
    assert len({row["event_id"] for row in rows}) == len(rows)


WORDS = {
    name
    for table in (PAYMENTS, ATTEMPTS, DECISIONS, CUSTOMERS, CURVES, HOURLY)
    for name in table.columns
    if name not in COLUMNS and "_" in name and name not in {"created_at", "charge_id", "exp_month"}
}
VALUES = {
    "card_testing",
    "account_takeover",
    "high_amount",
    "fraudster",
    "overtaken",
    "voluntary",
    "involuntary",
    "brief_hold",
    "bad_number",
    "semimonthly",
    "propensity",
    "churn",
    "scenario",
    *(name for name in load_assumptions().logging.weights),
}


@pytest.mark.parametrize("word", sorted(WORDS | VALUES))
def test_no_name_or_value_of_a_label_is_in_any_body(word: str) -> None:
    quoted = f'"{word}"'.encode()
    assert not any(quoted in body for body in bodies())


def test_metadata_say_nothing_but_order_and_merchant() -> None:
    for body in bodies():
        event = orjson.loads(body)
        story = event["data"]["object"].get("payment_intent") or event["data"]["object"]["id"]
        assert set(event["data"]["object"]["metadata"]) <= {"order_id", "merchant_id"}
        assert event["data"]["object"]["metadata"]["order_id"] == story[-8:]


def test_payers_of_attacks_look_like_others() -> None:
    """Guests, names and addresses give no attack away."""
    stories = world(1500, 2).stories
    honest = [story for story in stories if story.scenario is None]
    attacks = [story for story in stories if story.scenario is not None]
    assert any(story.customer is None for story in honest)
    names = {story.customer.name for story in honest if story.customer}
    lengths = {len(story.customer.email) for story in honest if story.customer}
    accounts = [story.customer for story in attacks if story.customer]
    assert accounts
    assert {account.name for account in accounts} <= names
    assert {len(account.email) for account in accounts} <= lengths


def test_nobody_pays_with_a_card_that_has_long_expired() -> None:
    """Neither the honest, whose cards are renewed, nor attackers: expiry must not tell them apart."""
    over: dict[bool, list[bool]] = {True: [], False: []}
    for story in world(1500, 2).stories:
        if story.succeeded_at is not None:
            tried = story.tries[-1]
            paid = EPOCH + timedelta(seconds=tried.at)
            months_over = (paid.year - tried.card.exp_year) * 12 + paid.month - tried.card.exp_month
            over[story.scenario is not None].append(months_over > 1)
    assert over[True]
    assert not any(over[True])
    # One in a hundred tries of an expired card goes through.
    assert sum(over[False]) / len(over[False]) < 0.001
