"""Real webhook bodies, through the gateway's decision and the normaliser's: every amount and currency is the body's."""

import hmac
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import iso4217
import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import PAYMENT_STATUS_FAILED, UnifiedPaymentEvent

from services.gateway.handler import Arrival, Publish, StripeEndpoint, handle
from services.gateway.providers.stripe import signing_secrets
from services.normalizer.handler import Outcome
from services.normalizer.mappings.stripe.amounts import UNITS
from services.normalizer.money import ProviderUnit
from services.normalizer.sources import TOPICS
from services.runtime.contract import broken_rules
from services.runtime.errors import Position
from tests.unit.normalizer.tables import NORMALIZER, NOW

ENVELOPES = Path(__file__).parents[4] / "shared" / "data" / "stripe" / "envelopes"
BODIES = {path.stem: path.read_bytes() for path in sorted(ENVELOPES.glob("*.json"))}
SECRET = "whsec_test"
ENDPOINT = StripeEndpoint(signing_secrets(SECRET), "merchant_default", 300)
ARRIVED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EXPONENTS = {currency.code: currency.exponent for currency in iso4217.Currency}


def published(body: bytes) -> Publish:
    at = int(ARRIVED.timestamp())
    signature = hmac.new(SECRET.encode(), b"%d.%b" % (at, body), "sha256").hexdigest()
    decision = handle(Arrival(body, f"t={at},v1={signature}".encode(), "0" * 32, ARRIVED), ENDPOINT)
    assert isinstance(decision, Publish)
    return decision


def normalized(body: bytes) -> Outcome | None:
    """What a body becomes; None where the gateway does not send it to the normalizer."""
    decision = published(body)
    if decision.topic not in TOPICS.inputs:
        return None
    return NORMALIZER.normalize(decision.message, Position(decision.topic, 0, 0), NOW)


def in_cents(amount: int, code: str) -> int:
    """Stripe's amount by hand: through whole units as a fraction, without the code under test."""
    stripe = UNITS.get(code, ProviderUnit()).exponent
    exponent = EXPONENTS[code]
    assert exponent is not None
    whole, rest = divmod(amount * int(10**exponent), int(10 ** (exponent if stripe is None else stripe)))
    assert not rest
    return whole


def assert_agrees(event: UnifiedPaymentEvent, body: Mapping[str, Any]) -> None:
    carried = body["data"]["object"]
    assert event.currency == carried["currency"].upper()
    assert event.amount_cents == in_cents(carried["amount"], event.currency)
    assert event.provider_event_id == body["id"]
    assert event.provider_object_id == carried.get("id", carried.get("charge"))
    assert event.provider_created_at.seconds == body["created"]


@pytest.mark.skipif(not BODIES, reason=f"{ENVELOPES} is absent")
def test_all_envelopes_are_there() -> None:
    assert len(BODIES) == 103


@pytest.mark.parametrize("name", BODIES)
def test_an_envelope_becomes_an_event_that_agrees_with_it_or_is_none_of_ours(name: str) -> None:
    """What the gateway lets through to the normaliser becomes an event: none of these is dead."""
    outcome = normalized(BODIES[name])
    if outcome is None:
        return
    assert isinstance(outcome, UnifiedPaymentEvent), outcome
    assert not broken_rules(outcome)
    assert_agrees(outcome, json.loads(BODIES[name]))


@pytest.mark.skipif(not BODIES, reason=f"{ENVELOPES} is absent")
def test_all_envelopes_about_payments_reach_the_normalizer_but_one_that_carries_no_object() -> None:
    """81 are of types without a contract; two disputes of an old API version have no id of their own."""
    assert Counter(published(body).outcome for body in BODIES.values()) == {"accepted": 21, "other": 81, "dead": 1}


@pytest.mark.skipif(not BODIES, reason=f"{ENVELOPES} is absent")
def test_every_failed_payment_tells_a_code_and_a_class() -> None:
    events = [event for body in BODIES.values() if isinstance(event := normalized(body), UnifiedPaymentEvent)]
    failed = [event for event in events if event.status == PAYMENT_STATUS_FAILED]
    assert {event.failure_code for event in failed} == {"card_declined", "generic_decline"}
    assert all(event.HasField("decline_class") for event in failed)


@pytest.mark.parametrize(
    ("currency", "amount", "cents"),
    [("jpy", 12800, 12800), ("krw", 49000, 49000), ("kwd", 24500, 24500), ("kwd", 10, 10), ("usd", 50, 50)],
)
@pytest.mark.parametrize("kind", ["charge", "payment_intent", "refund", "dispute"])
def test_a_body_without_decimals_or_with_three_agrees_too(kind: str, currency: str, amount: int, cents: int) -> None:
    types = {
        "charge": "charge.succeeded",
        "payment_intent": "payment_intent.succeeded",
        "refund": "refund.created",
        "dispute": "charge.dispute.created",
    }
    prefix = {"charge": "ch", "payment_intent": "pi", "refund": "re", "dispute": "dp"}[kind]
    carried = {
        "id": f"{prefix}_1",
        "object": kind,
        "amount": amount,
        "currency": currency,
        "created": 1_772_442_000,
        "charge": "ch_1",
        "status": "succeeded" if kind != "dispute" else "won",
    }
    body = {
        "id": "evt_1",
        "object": "event",
        "type": types[kind],
        "created": 1_772_442_001,
        "data": {"object": carried},
    }
    event = normalized(json.dumps(body).encode())
    assert isinstance(event, UnifiedPaymentEvent), event
    assert event.amount_cents == cents
    assert_agrees(event, body)
