"""Payment events and failures for tests: valid ones, to be changed by keyword."""

from typing import Any

from tidegate.inference.v1.assessment_service_pb2 import Assessment
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.ingress.v1.violation_pb2 import Violation
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_INSUFFICIENT_FUNDS,
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_SUCCEEDED,
    UnifiedPaymentEvent,
)
from tidegate.payments.v1.validation_failure_pb2 import MessageOrigin, ValidationFailure

from services.runtime.clock import timestamp
from tests.fakes.scoring import assess
from tests.fakes.times import NOW
from workflows.payment_event.contract import PersistDecisionInput
from workflows.payment_event.decision import decide
from workflows.payment_event.questions import assessment_item

RECEIPT = "0123456789abcdef0123456789abcdef"


def succeeded(name: str = "1", **changes: Any) -> UnifiedPaymentEvent:
    """A card payment of USD 20.00 by a known customer that went through."""
    fields = {
        "event_id": f"stripe:evt_{name}",
        "provider": PROVIDER_STRIPE,
        "provider_event_id": f"evt_{name}",
        "event_type": "payment.succeeded",
        "merchant_id": "acct_shop",
        "customer_id": "cus_ada",
        "amount_cents": 2000,
        "currency": "USD",
        "payment_method_type": "card",
        "card_brand": "visa",
        "card_last_four": "4242",
        "card_fingerprint": "fp_ada",
        "status": PAYMENT_STATUS_SUCCEEDED,
        "metadata": {"order": "7"},
        "provider_created_at": timestamp(NOW),
        "processed_at": timestamp(NOW),
        "schema_version": 1,
        "payment_id": f"stripe:pi_{name}",
        "provider_object_id": f"pi_{name}",
        "receipt_id": RECEIPT,
        "livemode": True,
    }
    return UnifiedPaymentEvent(**{**fields, **changes})


def failed(name: str = "1", **changes: Any) -> UnifiedPaymentEvent:
    """The same payment, declined for want of money."""
    decline = {
        "event_type": "payment.failed",
        "status": PAYMENT_STATUS_FAILED,
        "failure_code": "insufficient_funds",
        "failure_message": "Your card has insufficient funds.",
        "decline_class": DECLINE_CLASS_INSUFFICIENT_FUNDS,
    }
    return succeeded(name, **{**decline, **changes})


def refunded(name: str = "1", **changes: Any) -> UnifiedPaymentEvent:
    """A refund of the payment, by a guest: no model is asked."""
    return succeeded(name, **{"event_type": "refund.created", "customer_id": None, **changes})


def failure(name: str = "1", **changes: Any) -> ValidationFailure:
    """An event in a currency that is not supported."""
    fields = {
        "event_id": f"stripe:evt_{name}",
        "provider": PROVIDER_STRIPE,
        "provider_event_type": "charge.succeeded",
        "merchant_id": "acct_shop",
        "violations": [
            Violation(rule_id="currency.unsupported", field_path="currency", message="not among the supported ones")
        ],
        "origin": MessageOrigin(topic="webhooks.stripe.charge", partition=1, offset=41),
        "receipt_id": RECEIPT,
        "failed_at": timestamp(NOW),
        "schema_version": 1,
    }
    return ValidationFailure(**{**fields, **changes})


def recorded(event: UnifiedPaymentEvent | None = None) -> PersistDecisionInput:
    """An event with the decision that rules and models come to when nothing stands against it."""
    event = event or succeeded()
    item = assessment_item(event)
    assessment = assess(item) if item is not None else Assessment()
    decision = decide(event, [], assessment, [])
    decision.decided_at.CopyFrom(timestamp(NOW))
    return PersistDecisionInput(event=event, decision=decision)
