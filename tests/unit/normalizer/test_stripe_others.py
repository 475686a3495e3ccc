"""What Stripe's payment intents, refunds and disputes mean in the unified schema."""

from typing import Any

import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_CARD_DATA,
    DECLINE_CLASS_HARD,
    PaymentStatus,
    UnifiedPaymentEvent,
)

from tests.fakes.stripe_webhooks import dispute_webhook, payment_intent_webhook, refund_webhook
from tests.unit.normalizer.tables import event_of, failure_of


def standing(event: UnifiedPaymentEvent) -> tuple[str, str]:
    return event.event_type, PaymentStatus.Name(event.status).removeprefix("PAYMENT_STATUS_")


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        ("amount_capturable_updated", ("payment.authorized", "AUTHORIZED")),
        ("canceled", ("payment.canceled", "CANCELED")),
        ("created", ("payment.created", "CREATED")),
        ("partially_funded", ("payment.partially_funded", "REQUIRES_ACTION")),
        ("payment_failed", ("payment.failed", "FAILED")),
        ("processing", ("payment.processing", "PROCESSING")),
        ("requires_action", ("payment.requires_action", "REQUIRES_ACTION")),
        ("succeeded", ("payment.succeeded", "SUCCEEDED")),
    ],
)
def test_a_payment_intents_event_type_tells_its_standing(event_type: str, expected: tuple[str, str]) -> None:
    assert standing(event_of(payment_intent_webhook(f"payment_intent.{event_type}", status="anything"))) == expected


def test_a_payment_intent_is_the_payment() -> None:
    event = event_of(payment_intent_webhook(amount_received=4000, payment_method_types=["card"], customer="cus_1"))
    assert (event.payment_id, event.provider_object_id) == ("stripe:pi_1", "pi_1")
    assert (event.amount_cents, event.amount_captured_cents) == (4900, 4000)
    assert (event.payment_method_type, event.customer_id) == ("card", "cus_1")


def test_a_failed_payment_intent_tells_the_error_of_today() -> None:
    error = {
        "code": "card_declined",
        "decline_code": "lost_card",
        "message": "Declined.",
        "network_decline_code": "41",
        "payment_method": {"type": "card", "card": {"brand": "visa", "last4": "0002"}},
    }
    event = event_of(payment_intent_webhook("payment_intent.payment_failed", last_payment_error=error))
    assert (event.failure_code, event.decline_class) == ("lost_card", DECLINE_CLASS_HARD)
    assert (event.failure_message, event.network_decline_code) == ("Declined.", "41")
    assert (event.payment_method_type, event.card_brand, event.card_last_four) == ("card", "visa", "0002")


def test_a_failed_payment_intent_tells_the_attempt_of_old_api_versions() -> None:
    attempt = {
        "id": "ch_1",
        "amount": 4900,
        "currency": "usd",
        "failure_code": "expired_card",
        "failure_message": "Expired.",
        "outcome": {"reason": "expired_card", "risk_score": 9},
        "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "0069"}},
    }
    event = event_of(payment_intent_webhook("payment_intent.payment_failed", charges={"data": [attempt]}))
    assert (event.failure_code, event.decline_class) == ("expired_card", DECLINE_CLASS_CARD_DATA)
    assert (event.failure_message, event.card_last_four, event.provider_risk_score) == ("Expired.", "0069", 9)


CARD = {"brand": "Visa", "last4": "0002", "fingerprint": "Fq7"}


@pytest.mark.parametrize(
    "place",
    [
        {"last_payment_error": {"payment_method": {"type": "card", "card": CARD}}},
        {"last_payment_error": {"source": {"object": "card", **CARD}}},
        {"last_payment_error": {"source": {"object": "source", "type": "card", "card": CARD}}},
        {"charges": {"data": [{"source": {"object": "card", **CARD}}]}},
        {"charges": {"data": [{"source": {"object": "source", "type": "card", "card": CARD}}]}},
        {"charges": {"data": [{"card": {"object": "card", **CARD}}]}},
    ],
)
def test_a_payment_intents_card_is_read_where_the_api_version_has_it(place: dict[str, Any]) -> None:
    attempt = {"id": "ch_1", "amount": 4900, "currency": "usd"}
    if "charges" in place:
        place = {"charges": {"data": [{**attempt, **place["charges"]["data"][0]}]}}
    event = event_of(payment_intent_webhook("payment_intent.payment_failed", **place))
    assert (event.payment_method_type, event.card_brand) == ("card", "visa")
    assert (event.card_last_four, event.card_fingerprint) == ("0002", "Fq7")


def test_the_newest_word_on_a_card_goes_before_older_ones() -> None:
    error = {"source": {"object": "card", **CARD}}
    attempt = {"id": "ch_1", "amount": 4900, "currency": "usd", "source": {"object": "card", "last4": "9999"}}
    webhook = payment_intent_webhook(
        "payment_intent.payment_failed", last_payment_error=error, charges={"data": [attempt]}
    )
    assert event_of(webhook).card_last_four == "0002"


def test_an_error_left_over_on_a_payment_that_goes_on_is_no_failure() -> None:
    error = {"code": "authentication_required", "message": "Authenticate."}
    event = event_of(payment_intent_webhook("payment_intent.requires_action", last_payment_error=error))
    assert not event.HasField("failure_code")
    assert not event.HasField("decline_class")


@pytest.mark.parametrize(
    ("event_type", "status", "expected"),
    [
        ("refund.created", "pending", ("refund.created", "REFUND_PENDING")),
        ("refund.created", "requires_action", ("refund.created", "REFUND_PENDING")),
        ("refund.updated", "succeeded", ("refund.updated", "REFUNDED")),
        ("charge.refund.updated", "failed", ("refund.updated", "REFUND_FAILED")),
        ("charge.refund.updated", "canceled", ("refund.updated", "REFUND_FAILED")),
        ("charge.refunded", "succeeded", ("refund.created", "REFUNDED")),
        ("refund.failed", "succeeded", ("refund.failed", "REFUND_FAILED")),
        ("refund.created", "", ("refund.created", "REFUNDED")),
        ("refund.created", "null", ("refund.created", "REFUNDED")),
    ],
)
def test_a_refunds_type_and_status_tell_its_standing(event_type: str, status: str, expected: tuple[str, str]) -> None:
    assert standing(event_of(refund_webhook(event_type, status=status))) == expected


def test_a_refund_belongs_to_the_payment_it_gives_back() -> None:
    assert event_of(refund_webhook(payment_intent="pi_5")).payment_id == "stripe:pi_5"
    event = event_of(refund_webhook(reason="duplicate", status="failed", failure_reason="expired_or_canceled_card"))
    assert (event.payment_id, event.reason) == ("stripe:ch_1", "duplicate")
    assert event.failure_code == "expired_or_canceled_card"
    assert not event.HasField("decline_class")


def test_a_refund_s_failure_reason_is_told_of_failed_refunds_alone() -> None:
    event = event_of(refund_webhook("refund.failed", failure_reason="declined"))
    assert (event.failure_code, event.HasField("decline_class")) == ("declined", False)
    assert not event_of(refund_webhook(status="pending", failure_reason="declined")).HasField("failure_code")


def test_a_refund_from_a_customers_balance_stands_for_itself() -> None:
    assert event_of(refund_webhook(charge="null")).payment_id == "stripe:re_1"


def test_a_dispute_without_an_id_is_known_by_its_charge() -> None:
    event = event_of(dispute_webhook(id=""))
    assert (event.provider_object_id, event.payment_id) == ("ch_1", "stripe:ch_1")


def test_a_dispute_whose_id_is_something_else_is_put_aside() -> None:
    (violation,) = failure_of(dispute_webhook(id="ch_1")).violations
    assert violation.field_path == "data.object.id"


def test_a_dispute_of_no_payment_is_put_aside() -> None:
    (violation,) = failure_of(dispute_webhook(charge="")).violations
    assert (violation.rule_id, violation.field_path) == ("field.required", "data.object.payment_intent")


def test_a_refund_of_a_status_that_is_new_is_put_aside() -> None:
    (violation,) = failure_of(refund_webhook(status="reversed")).violations
    assert violation.rule_id == "status.unmapped"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("warning_needs_response", "DISPUTED"),
        ("warning_under_review", "DISPUTED"),
        ("needs_response", "DISPUTED"),
        ("under_review", "DISPUTED"),
        ("won", "DISPUTE_WON"),
        ("warning_closed", "DISPUTE_WON"),
        ("prevented", "DISPUTE_WON"),
        ("lost", "DISPUTE_LOST"),
    ],
)
@pytest.mark.parametrize("event_type", ["created", "updated", "closed", "funds_withdrawn", "funds_reinstated"])
def test_a_disputes_standing_follows_from_its_status(event_type: str, status: str, expected: str) -> None:
    event = event_of(dispute_webhook(f"charge.dispute.{event_type}", status=status))
    assert standing(event) == (f"dispute.{event_type}", expected)


def test_a_dispute_tells_card_and_reason() -> None:
    details = {"type": "card", "card": {"brand": "visa"}}
    event = event_of(dispute_webhook(payment_intent="pi_4", reason="fraudulent", payment_method_details=details))
    assert (event.payment_id, event.reason, event.card_brand) == ("stripe:pi_4", "fraudulent", "visa")
    assert (event.payment_method_type, event.amount_cents) == ("card", 4900)
