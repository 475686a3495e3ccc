"""From contracts to facts."""

from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_INSUFFICIENT_FUNDS, UnifiedPaymentEvent

from mlops.features.catalog import Entity
from mlops.features.facts import Outcome, PaymentFact, asked_fact, entity_keys, payment_fact, score_fact
from tests.unit.mlops.features.histories import fact
from workflows.payment_event.questions import payment_context

EXAMPLES = sorted(Path("proto/examples/payments.normalized").glob("*.json"))


def read(name: str) -> PaymentFact:
    text = Path(f"proto/examples/payments.normalized/{name}.json").read_text()
    return payment_fact(json_format.Parse(text, UnifiedPaymentEvent()))


def test_a_failed_charge_is_a_failed_attempt_with_its_own_object() -> None:
    assert read("charge-failed-insufficient-funds") == PaymentFact(
        event_id="stripe:evt_9f207a4595b057f66905fa15",
        merchant_id="merchant_lumen",
        customer_id="cus_Example01",
        card_id="Fq7ExampleCardA1",
        payment_id="stripe:pi_3Example0004",
        attempt_id="ch_3Example0004",
        amount_cents=4900,
        currency="USD",
        outcome=Outcome.FAILED,
        decline_class=DECLINE_CLASS_INSUFFICIENT_FUNDS,
        fraud_score=None,
        occurred_at_us=1_772_442_021_000_000,
        arrived_at_us=1_772_442_028_040_000,
    )


def test_a_payment_intent_speaks_of_the_payment_as_a_whole() -> None:
    told = read("payment-intent-failed-generic")
    assert (told.outcome, told.attempt_id) == (Outcome.FAILED, None)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("charge-succeeded", Outcome.SUCCEEDED),
        ("payment-intent-succeeded", Outcome.SUCCEEDED),
        ("charge-authorized", Outcome.OTHER),
        ("payment-intent-created", Outcome.OTHER),
        ("payment-intent-canceled", Outcome.OTHER),
        ("charge-updated-legacy", Outcome.OTHER),
        ("charge-refunded-kwd-in-part", Outcome.REFUNDED),
        ("refund-created", Outcome.REFUNDED),
        ("refund-failed", Outcome.OTHER),
        ("dispute-created", Outcome.DISPUTED),
        ("dispute-closed-lost", Outcome.OTHER),
    ],
)
def test_an_event_has_one_outcome(name: str, outcome: Outcome) -> None:
    assert read(name).outcome == outcome


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_golden_event_is_a_fact(path: Path) -> None:
    assert read(path.stem).merchant_id


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_question_about_an_event_is_about_the_same_fact(path: Path) -> None:
    event = json_format.Parse(path.read_text(), UnifiedPaymentEvent())
    told = payment_fact(event)
    assert asked_fact(payment_context(event), told.arrived_at_us) == told


def test_a_question_without_an_event_is_about_an_attempt() -> None:
    asked = PaymentContext(payment_id="p_1", merchant_id="m", amount_cents=5, currency="USD")
    assert asked_fact(asked, now_us=9).outcome is Outcome.SUCCEEDED
    asked.failure_code = "card_declined"
    told = asked_fact(asked, now_us=9)
    assert (told.outcome, told.event_id, told.attempt_id, told.arrived_at_us) == (
        Outcome.FAILED,
        "asked:p_1",
        None,
        9,
    )


def test_a_decision_with_a_fraud_score_is_a_fact_as_of_the_decision() -> None:
    decision = PaymentDecision(
        event_id="stripe:evt_1",
        payment_id="stripe:pi_1",
        merchant_id="m",
        customer_id="cus_1",
        decided_at=Timestamp(seconds=5),
        fraud=ScoreResponse(fraud_probability=0.25),
    )
    told = score_fact(decision)
    assert told is not None
    assert (told.outcome, told.fraud_score, told.occurred_at_us) == (Outcome.OTHER, 0.25, 5_000_000)
    decision.ClearField("fraud")
    assert score_fact(decision) is None


def test_keys_are_scoped_by_merchant() -> None:
    assert entity_keys(fact(merchant="m", customer="c", card="k")) == {
        Entity.MERCHANT: "m",
        Entity.CUSTOMER: "m|c",
        Entity.CARD: "m|k",
    }
    assert entity_keys(fact(merchant="m", customer=None, card=None)) == {Entity.MERCHANT: "m"}


def test_no_two_merchants_share_a_key() -> None:
    one = entity_keys(fact(merchant="a|b", customer="c"))
    other = entity_keys(fact(merchant="a", customer="b|c"))
    third = entity_keys(fact(merchant="a%7Cb", customer="c"))
    assert len({keys[Entity.CUSTOMER] for keys in (one, other, third)}) == 3
