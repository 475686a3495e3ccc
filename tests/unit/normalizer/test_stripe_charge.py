"""What Stripe's charges mean in the unified schema."""

from typing import Any

import pytest
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_INSUFFICIENT_FUNDS,
    DECLINE_CLASS_UNKNOWN,
    PaymentStatus,
)

from tests.fakes.stripe_webhooks import CREATED, charge_webhook, receipt_id
from tests.unit.normalizer.tables import NOW, event_of, failure_of

CARD = {
    "brand": "visa",
    "last4": "4242",
    "fingerprint": "Fq7",
    "country": "US",
    "funding": "debit",
    "exp_month": 3,
    "exp_year": 2031,
}


def standing(event_type: str, **charge: Any) -> tuple[str, str]:
    event = event_of(charge_webhook(event_type, **charge))
    return event.event_type, PaymentStatus.Name(event.status).removeprefix("PAYMENT_STATUS_")


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        ("charge.captured", ("payment.captured", "SUCCEEDED")),
        ("charge.expired", ("payment.expired", "EXPIRED")),
        ("charge.failed", ("payment.failed", "FAILED")),
        ("charge.pending", ("payment.processing", "PROCESSING")),
        ("charge.refunded", ("payment.refunded", "REFUNDED")),
        ("charge.succeeded", ("payment.succeeded", "SUCCEEDED")),
    ],
)
def test_the_event_type_tells_the_standing(event_type: str, expected: tuple[str, str]) -> None:
    assert standing(event_type) == expected


def test_a_success_that_is_not_captured_is_an_authorisation() -> None:
    assert standing("charge.succeeded", captured=False) == ("payment.authorized", "AUTHORIZED")
    assert standing("charge.succeeded", captured=True) == ("payment.succeeded", "SUCCEEDED")


@pytest.mark.parametrize(
    ("charge", "status"),
    [
        ({"status": "succeeded", "captured": True}, "SUCCEEDED"),
        ({"status": "succeeded", "captured": False}, "AUTHORIZED"),
        ({"status": "pending"}, "PROCESSING"),
        ({"status": "failed"}, "FAILED"),
        ({"status": "succeeded", "refunded": True}, "REFUNDED"),
        ({"status": "succeeded", "amount_refunded": 100}, "REFUNDED"),
        ({"status": "succeeded", "disputed": True}, "SUCCEEDED"),
        # API versions without a status
        ({"paid": True}, "SUCCEEDED"),
        ({"paid": True, "captured": False}, "AUTHORIZED"),
        ({"paid": True, "refunded": True}, "REFUNDED"),
        ({"paid": False}, "FAILED"),
        ({"status": "null", "paid": True}, "SUCCEEDED"),
        ({"status": "paid"}, "SUCCEEDED"),
    ],
)
def test_an_update_tells_the_standing_by_the_charges_own_fields(charge: dict[str, Any], status: str) -> None:
    assert standing("charge.updated", **charge) == ("payment.updated", status)


@pytest.mark.parametrize(("charge", "rule"), [({}, "status.missing"), ({"status": "odd"}, "status.unmapped")])
def test_an_update_that_does_not_tell_is_put_aside(charge: dict[str, Any], rule: str) -> None:
    (violation,) = failure_of(charge_webhook("charge.updated", **charge)).violations
    assert (violation.rule_id, violation.field_path) == (rule, "data.object.status")


def test_the_envelope_and_the_receipt_are_carried() -> None:
    event = event_of(charge_webhook(number=7, merchant_id="merchant_7"))
    assert (event.event_id, event.provider_event_id, event.provider) == ("stripe:evt_7", "evt_7", PROVIDER_STRIPE)
    assert (event.merchant_id, event.receipt_id) == ("merchant_7", receipt_id(7))
    assert (event.provider_created_at.seconds, event.processed_at, event.livemode) == (CREATED, NOW, True)
    assert (event.provider_object_id, event.schema_version) == ("ch_7", 1)


def test_a_payment_is_the_payment_intent_else_the_charge() -> None:
    assert event_of(charge_webhook(payment_intent="pi_9")).payment_id == "stripe:pi_9"
    assert event_of(charge_webhook()).payment_id == "stripe:ch_1"
    assert event_of(charge_webhook(payment_intent="null")).payment_id == "stripe:ch_1"


def test_amounts_are_carried_with_the_currency() -> None:
    event = event_of(charge_webhook(currency="jpy", amount=500, amount_captured=500, amount_refunded=0))
    assert (event.currency, event.amount_cents) == ("JPY", 500)
    assert (event.amount_captured_cents, event.amount_refunded_cents) == (500, 0)
    assert event.HasField("amount_refunded_cents")
    assert not event_of(charge_webhook()).HasField("amount_captured_cents")


@pytest.mark.parametrize(
    "place",
    [
        {"payment_method_details": {"type": "card", "card": CARD}},
        {"source": {"object": "card", **CARD, "brand": "Visa"}},
        {"source": {"object": "source", "type": "card", "card": {**CARD, "brand": "Visa"}}},
        {"source": {"object": "source", "type": "three_d_secure", "three_d_secure": CARD}},
        {"card": {"object": "card", **CARD, "brand": "Visa"}},
    ],
)
def test_a_card_is_read_where_the_api_version_has_it(place: dict[str, Any]) -> None:
    event = event_of(charge_webhook(**place))
    assert (event.payment_method_type, event.card_brand, event.card_last_four) == ("card", "visa", "4242")
    assert (event.card_fingerprint, event.card_country, event.card_funding) == ("Fq7", "US", "debit")
    assert (event.card_exp_month, event.card_exp_year) == (3, 2031)


@pytest.mark.parametrize("kind", ["bank_account", "source", "", "null"])
def test_a_legacy_source_that_is_no_card_tells_no_card(kind: str) -> None:
    """A bank account has a last4, a fingerprint and a country of its own."""
    event = event_of(charge_webhook(source={**CARD, "object": kind}))
    assert not [name for name in event.DESCRIPTOR.fields_by_name if name.startswith("card_") and event.HasField(name)]


@pytest.mark.parametrize(
    ("brand", "today"),
    [("American Express", "amex"), ("Diners Club", "diners"), ("MasterCard", "mastercard"), ("JCB", "jcb")],
)
def test_legacy_brands_are_told_in_todays_words(brand: str, today: str) -> None:
    assert event_of(charge_webhook(source={"object": "card", "brand": brand})).card_brand == today


def test_a_legacy_source_that_may_be_anything_says_no_payment_method() -> None:
    assert not event_of(charge_webhook(source={"object": "source"})).HasField("payment_method_type")
    assert event_of(charge_webhook(source={"object": "bank_account"})).payment_method_type == "ach_debit"


def test_a_failure_tells_the_most_specific_code() -> None:
    outcome = {"reason": "insufficient_funds", "network_decline_code": "51", "network_advice_code": "02"}
    event = event_of(
        charge_webhook(
            "charge.failed",
            failure_code="card_declined",
            failure_message="No.",
            outcome={**outcome, "advice_code": "try_again_later"},
        )
    )
    assert (event.failure_code, event.failure_message) == ("insufficient_funds", "No.")
    assert event.decline_class == DECLINE_CLASS_INSUFFICIENT_FUNDS
    assert (event.network_decline_code, event.network_advice_code) == ("51", "02")
    assert event.provider_advice_code == "try_again_later"


def test_what_radar_blocks_is_suspected_fraud() -> None:
    webhook = charge_webhook("charge.failed", failure_code="card_declined", outcome={"reason": "highest_risk_level"})
    assert event_of(webhook).decline_class == DECLINE_CLASS_FRAUD


@pytest.mark.parametrize("failure", [{"failure_code": "brand_new_code"}, {}])
def test_a_failure_without_a_known_code_is_of_unknown_class(failure: dict[str, Any]) -> None:
    assert event_of(charge_webhook("charge.failed", **failure)).decline_class == DECLINE_CLASS_UNKNOWN


def test_a_success_that_radar_looked_at_is_no_failure() -> None:
    event = event_of(charge_webhook(outcome={"reason": "elevated_risk_level", "risk_score": 71}))
    assert not event.HasField("failure_code")
    assert not event.HasField("decline_class")
    assert event.provider_risk_score == 71


def test_words_for_null_are_absence_everywhere() -> None:
    event = event_of(
        charge_webhook(
            customer="null",
            invoice="None",
            metadata={"order": "A-1", "note": "NULL", "empty": " ", "none": "none", "kept": " x "},
            payment_method_details={"type": "null", "card": {"brand": "NULL", "last4": "", "country": "None"}},
        )
    )
    for field in ("customer_id", "invoice_id", "payment_method_type", "card_brand", "card_last_four", "card_country"):
        assert not event.HasField(field), field
    assert dict(event.metadata) == {"order": "A-1", "kept": " x "}
