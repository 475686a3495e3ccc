"""Messages become rows without losing anything, and rows are what PostgreSQL takes."""

import orjson
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import DecisionAction, PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import (
    PaymentStatus,
    UnifiedPaymentEvent,
)

from services.orchestrator.rows import (
    DECISION_COLUMNS,
    EVENT_COLUMNS,
    OUTBOX_COLUMNS,
    QUARANTINE_COLUMNS,
    decision_row,
    event_row,
    outbox_row,
    quarantine_row,
    words,
)
from tests.fakes.payments import RECEIPT, failed, failure, recorded, refunded, succeeded


def test_a_row_has_every_field_of_the_event_under_its_name() -> None:
    assert set(event_row(succeeded())) == {field.name for field in UnifiedPaymentEvent.DESCRIPTOR.fields}
    assert set(event_row(refunded())) == set(EVENT_COLUMNS)


def test_an_events_values_are_as_people_read_them() -> None:
    row = event_row(failed(network_decline_code="51"))
    assert row["provider"] == "stripe"
    assert row["status"] == "failed"
    assert row["decline_class"] == "insufficient_funds"
    assert (row["amount_cents"], row["currency"]) == (2000, "USD")
    assert row["provider_created_at"] == "2026-11-23T12:00:00Z"
    assert row["metadata"] == {"order": "7"}
    assert row["network_decline_code"] == "51"


def test_what_the_event_does_not_say_is_null_and_not_empty() -> None:
    row = event_row(refunded())
    assert row["customer_id"] is None
    assert row["decline_class"] is None
    assert row["amount_refunded_cents"] is None
    assert row["livemode"] is True


def test_enums_are_told_in_lower_case_without_their_prefix() -> None:
    assert words(PaymentStatus.DESCRIPTOR)[PaymentStatus.Value("PAYMENT_STATUS_REFUND_PENDING")] == "refund_pending"
    assert words(DecisionAction.DESCRIPTOR)[DecisionAction.Value("DECISION_ACTION_DO_NOT_RETRY")] == "do_not_retry"


def test_a_character_that_postgresql_cannot_hold_is_replaced_everywhere() -> None:
    event = succeeded(failure_message="a\0b", metadata={"k\0": "v\0"}, customer_id="cus\0")
    record = recorded(event)
    rows = [event_row(event), decision_row(record.decision), quarantine_row(failure(merchant_id="m\0"))]
    assert b"\\u0000" not in orjson.dumps(rows)
    assert rows[0]["metadata"] == {"k\ufffd": "v\ufffd"}


def test_a_decision_row_tells_answers_models_and_fallbacks() -> None:
    row = decision_row(recorded(failed()).decision)
    assert set(row) == set(DECISION_COLUMNS)
    assert row["action"] == "retry"
    assert (row["retry_action"], row["retry_at"], row["network_rule"]) == (
        "retry",
        "2026-11-23T12:00:00Z",
        "visa.attempts",
    )
    assert row["recovery_steps"] == ["notify"]
    assert (row["churn_probability"], row["churn_risk"]) == (0.2, "low")
    assert (row["fraud_probability"], row["fraud_decision"]) == (0.1, "allow")
    assert row["models"] == ["fraud-rules@1", "retry-rules@1", "churn-rules@1", "recovery-rules@1"]
    assert row["fallback"] is True
    assert row["decision"]["retry"]["provenance"]["fallback_cause"] == "FALLBACK_CAUSE_NO_MODEL"


def test_an_outbox_row_holds_the_whole_decision() -> None:
    decision = recorded().decision
    row = outbox_row(decision, {"traceparent": "00-…"})
    assert set(row) == set(OUTBOX_COLUMNS)
    assert PaymentDecision.FromString(bytes.fromhex(row["decision"].removeprefix("\\x"))) == decision
    assert row["payment_id"] == decision.payment_id


def test_a_quarantine_row_tells_rules_and_origin() -> None:
    row = quarantine_row(failure())
    assert set(row) == set(QUARANTINE_COLUMNS)
    assert row["rule_ids"] == ["currency.unsupported"]
    assert row["violations"][0]["field_path"] == "currency"
    assert (row["origin_topic"], row["origin_partition"], row["origin_offset"]) == ("webhooks.stripe.charge", 1, 41)
    assert (row["provider"], row["receipt_id"]) == ("stripe", RECEIPT)
    assert quarantine_row(failure(provider=0))["provider"] is None


def test_a_time_that_no_calendar_has_is_an_error_and_not_a_wrong_row() -> None:
    with pytest.raises(ValueError, match=r"."):
        event_row(succeeded(provider_created_at=Timestamp(seconds=10**12)))
