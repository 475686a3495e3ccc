"""An event or a failure, never an exception; and a failure that tells where and why without telling what."""

from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE, PROVIDER_UNSPECIFIED, Provider
from tidegate.payments.v1.unified_payment_event_pb2 import (
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_REFUND_FAILED,
    UnifiedPaymentEvent,
)
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook

from services.normalizer.handler import _DETAILS, unreadable
from services.normalizer.sources import TOPICS
from services.runtime.contract import broken_rules
from services.runtime.errors import BrokenRule, InvalidMessageError
from tests.fakes.stripe_webhooks import (
    charge_webhook,
    dispute_webhook,
    payment_intent_webhook,
    receipt_id,
    refund_webhook,
)
from tests.unit.normalizer.strategies import TEXTS, messages
from tests.unit.normalizer.tables import NORMALIZER, NOW, POSITION, event_of, failure_of

pytestmark = pytest.mark.slow

MAKERS = {
    "charge": charge_webhook,
    "dispute": dispute_webhook,
    "payment_intent": payment_intent_webhook,
    "refund": refund_webhook,
}


def test_a_failure_says_what_where_and_why() -> None:
    failure = failure_of(charge_webhook(number=5, merchant_id="m5", currency="isk", amount=500))
    assert (failure.event_id, failure.provider, failure.provider_event_type) == (
        "stripe:evt_5",
        PROVIDER_STRIPE,
        "charge.succeeded",
    )
    assert (failure.merchant_id, failure.receipt_id, failure.failed_at) == ("m5", receipt_id(5), NOW)
    origin = failure.origin
    assert (origin.topic, origin.partition, origin.offset) == (POSITION.topic, POSITION.partition, POSITION.offset)
    (violation,) = failure.violations
    assert (violation.rule_id, violation.field_path) == ("currency.unsupported", "data.object.currency")
    assert "TIDEGATE_CURRENCIES_FILE" in violation.message


def test_an_amount_above_the_bound_is_told_without_the_amount() -> None:
    failure = failure_of(charge_webhook(amount=123_456_789))
    (violation,) = failure.violations
    assert (violation.rule_id, violation.field_path) == ("amount.above_bound", "data.object.amount")
    assert violation.redacted_value == "number"
    assert "123456789" not in str(failure)


def test_a_three_decimal_amount_with_a_last_digit_is_put_aside() -> None:
    (violation,) = failure_of(charge_webhook(currency="kwd", amount=5124)).violations
    assert (violation.rule_id, violation.field_path) == ("amount.indivisible", "data.object.amount")


def test_every_broken_rule_is_told() -> None:
    failure = failure_of(charge_webhook("charge.updated", merchant_id="null", currency="xts"))
    assert [violation.rule_id for violation in failure.violations] == [
        "field.required",
        "currency.unsupported",
        "status.missing",
    ]


def test_a_rule_of_the_unified_contract_is_told_in_the_providers_words() -> None:
    card = {"fingerprint": "FINGER" * 30}
    failure = failure_of(charge_webhook(payment_method_details={"card": card}, customer="C" * 300))
    assert [violation.field_path for violation in failure.violations] == [
        "data.object.customer",
        "data.object.payment_method_details.card.fingerprint",
    ]
    assert "FINGER" not in str(failure)


@pytest.mark.parametrize(
    ("change", "field", "path"),
    [
        (
            {"payment_method_details": {"card": {"exp_year": 25}}},
            "card_exp_year",
            "payment_method_details.card.exp_year",
        ),
        (
            {"payment_method_details": {"card": {"exp_month": 13}}},
            "card_exp_month",
            "payment_method_details.card.exp_month",
        ),
        ({"payment_method_details": {"card": {"last4": "123"}}}, "card_last_four", "payment_method_details.card.last4"),
        (
            {"payment_method_details": {"card": {"brand": "cartes-bancaires"}}},
            "card_brand",
            "payment_method_details.card.brand",
        ),
        (
            {"payment_method_details": {"card": {"country": "USA"}}},
            "card_country",
            "payment_method_details.card.country",
        ),
        ({"payment_method_details": {"type": "a-card"}}, "payment_method_type", "payment_method_details.type"),
        (
            {"outcome": {"network_decline_code": "51 - declined"}},
            "network_decline_code",
            "outcome.network_decline_code",
        ),
        ({"outcome": {"advice_code": "x" * 65}}, "provider_advice_code", "outcome.advice_code"),
        ({"outcome": {"risk_score": 101}}, "provider_risk_score", "outcome.risk_score"),
        ({"failure_code": "x" * 129}, "failure_code", "outcome.reason"),
        ({"invoice": "in_" + "x" * 200}, "invoice_id", "invoice"),
    ],
)
def test_a_detail_that_breaks_its_rule_is_left_out_and_told(change: dict[str, Any], field: str, path: str) -> None:
    left_out: list[str] = []
    event = NORMALIZER.normalize(charge_webhook("charge.failed", **change), POSITION, NOW, left_out)
    assert isinstance(event, UnifiedPaymentEvent)
    assert not event.HasField(field)
    assert left_out == [f"data.object.{path}"]
    assert (event.event_id, event.amount_cents, event.event_type) == ("stripe:evt_1", 4900, "payment.failed")
    assert not broken_rules(event)


def test_a_long_failure_message_is_cut() -> None:
    left_out: list[str] = []
    webhook = charge_webhook("charge.failed", failure_message="€" * 3000)
    event = NORMALIZER.normalize(webhook, POSITION, NOW, left_out)
    assert isinstance(event, UnifiedPaymentEvent)
    assert event.failure_message == "€" * 2048
    assert left_out == ["data.object.failure_message"]


def test_more_metadata_than_an_event_holds_are_left_out() -> None:
    metadata = {f"key_{number}": "x" for number in range(101)}
    left_out: list[str] = []
    event = NORMALIZER.normalize(charge_webhook(metadata=metadata), POSITION, NOW, left_out)
    assert isinstance(event, UnifiedPaymentEvent)
    assert (dict(event.metadata), left_out) == ({}, ["data.object.metadata"])


def test_a_good_detail_stays_beside_a_bad_one() -> None:
    card = {"brand": "visa", "last4": "123", "fingerprint": "Fq7"}
    event = event_of(charge_webhook(payment_method_details={"card": card}))
    assert (event.card_brand, event.card_fingerprint, event.HasField("card_last_four")) == ("visa", "Fq7", False)


def test_a_bad_detail_saves_no_event_that_is_bad_otherwise() -> None:
    left_out: list[str] = []
    webhook = charge_webhook(customer="C" * 300, payment_method_details={"card": {"last4": "123"}})
    assert isinstance(NORMALIZER.normalize(webhook, POSITION, NOW, left_out), ValidationFailure)
    assert left_out == []


def test_every_detail_is_a_field_that_an_event_can_do_without() -> None:
    fields = UnifiedPaymentEvent.DESCRIPTOR.fields_by_name
    assert all(fields[name].has_presence or fields[name].is_repeated for name in _DETAILS)
    assert not _DETAILS & {"event_id", "payment_id", "merchant_id", "customer_id", "card_fingerprint", "status"}
    assert not [name for name in _DETAILS if "cents" in name or name == "currency" or name.endswith("_at")]


def test_a_rule_of_the_webhooks_contract_is_told_in_the_providers_words() -> None:
    webhook = charge_webhook()
    webhook.charge.id = "po_1"
    webhook.event.id = "event one"
    failure = failure_of(webhook)
    assert [violation.field_path for violation in failure.violations] == ["id", "data.object.id"]
    assert failure.event_id == "stripe:event one"


def test_an_empty_message_is_known_by_where_it_lies() -> None:
    assert failure_of(ChargeWebhook()).event_id == "webhooks.stripe.charge:2:41"


def test_a_time_that_no_timestamp_can_tell_is_put_aside() -> None:
    webhook = charge_webhook()
    webhook.event.created = 253402300800
    (violation,) = failure_of(webhook).violations
    assert (violation.rule_id, violation.field_path) == ("timestamp.out_of_range", "created")


def test_bytes_that_are_no_message_are_known_by_where_they_lie() -> None:
    poison = InvalidMessageError(POSITION, [BrokenRule("wire.unframed", "", "no magic byte")])
    failure = unreadable(poison, NOW)
    assert not broken_rules(failure)
    assert (failure.event_id, failure.provider) == ("webhooks.stripe.charge:2:41", PROVIDER_UNSPECIFIED)
    assert failure.violations[0].rule_id == "wire.unframed"


def test_more_violations_than_a_failure_holds_are_cut() -> None:
    webhook = payment_intent_webhook(charges={"data": [{"id": "x", "currency": "US"}] * 80})
    failure = failure_of(webhook)
    assert len(failure.violations) == 100
    assert not broken_rules(failure)


@pytest.mark.parametrize("message_type", TOPICS.inputs.values(), ids=lambda message_type: message_type.__name__)
@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.data_too_large])
def test_any_message_becomes_a_valid_event_or_a_valid_failure(message_type: type[Message], data: Any) -> None:
    webhook = data.draw(messages(message_type))
    outcome = NORMALIZER.normalize(webhook, POSITION, NOW)
    assert not broken_rules(outcome)


@pytest.mark.parametrize("name", MAKERS)
@given(data=st.data())
@settings(max_examples=200)
def test_any_valid_webhook_becomes_a_valid_event_or_a_valid_failure(name: str, data: Any) -> None:
    """Valid but for odd values in optional fields: the ones that the webhook's contract leaves open."""
    plain = MAKERS[name]()
    optional = type(getattr(plain, name))
    odd = data.draw(messages(optional))
    for required in ("id", "amount", "currency", "created"):
        odd.ClearField(required)
    webhook = MAKERS[name](data.draw(st.sampled_from(sorted(_event_types(name)))), merchant_id=data.draw(TEXTS))
    getattr(webhook, name).MergeFrom(odd)
    outcome = NORMALIZER.normalize(webhook, POSITION, NOW)
    assert not broken_rules(outcome)
    if isinstance(outcome, UnifiedPaymentEvent):
        assert not broken_rules(webhook)
        assert outcome.amount_cents == 4900
        assert outcome.event_id.startswith(f"{Provider.Name(outcome.provider).removeprefix('PROVIDER_').lower()}:")
        failed = outcome.status in {PAYMENT_STATUS_FAILED, PAYMENT_STATUS_REFUND_FAILED}
        assert failed or not outcome.HasField("failure_code")
        assert outcome.HasField("decline_class") == (outcome.status == PAYMENT_STATUS_FAILED)
        assert all(value.strip().lower() not in {"", "null", "none"} for value in outcome.metadata.values())
    else:
        assert isinstance(outcome, ValidationFailure)


def _event_types(name: str) -> list[str]:
    from services.gateway.providers.stripe import CONTRACTS

    return next(sorted(contract.event_types) for contract in CONTRACTS if contract.object_type == name)
