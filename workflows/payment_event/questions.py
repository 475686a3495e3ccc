"""Which models are asked about an event, and what they are told of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    AssessmentItem,
    Question,
)
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from workflows.payment_event.ports import EarlierAttempts

_BY_EVENT_TYPE: Final[Mapping[str, Sequence[Question]]] = {
    "payment.succeeded": (QUESTION_FRAUD,),
    # A plan is made of the answer on fraud: it is told and stored with it.
    "payment.failed": (QUESTION_FRAUD, QUESTION_RETRY, QUESTION_RECOVERY),
}

# What is bounded by the card networks' budgets.
_BY_BUDGET: Final = frozenset({QUESTION_RETRY, QUESTION_RECOVERY})

# Fields that mean the same in both messages under the same name.
_ALWAYS: Final = (
    "payment_id",
    "merchant_id",
    "amount_cents",
    "currency",
    "provider",
    "event_id",
    "provider_object_id",
    "event_type",
)
_WHERE_KNOWN: Final = (
    "customer_id",
    "payment_method_type",
    "card_brand",
    "card_fingerprint",
    "card_country",
    "card_funding",
    "card_exp_month",
    "card_exp_year",
    "failure_code",
    "decline_class",
    "network_decline_code",
    "network_advice_code",
    "provider_advice_code",
    "provider_risk_score",
)


def questions_about(event: UnifiedPaymentEvent) -> Sequence[Question]:
    """Fraud on every attempt, retry and recovery on a failure, churn wherever the customer is known."""
    asked = _BY_EVENT_TYPE.get(event.event_type, ())
    return (*asked, QUESTION_CHURN) if event.HasField("customer_id") else asked


def assessment_item(event: UnifiedPaymentEvent) -> AssessmentItem | None:
    """The payment with its questions; None when there is nothing to ask."""
    questions = questions_about(event)
    return AssessmentItem(payment=payment_context(event), questions=questions) if questions else None


def payment_context(event: UnifiedPaymentEvent) -> PaymentContext:
    """The event as the predictors see it, at the time the provider says it happened."""
    known = {name: getattr(event, name) for name in _WHERE_KNOWN if event.HasField(name)}
    always = {name: getattr(event, name) for name in _ALWAYS}
    return PaymentContext(
        **always, **known, occurred_at=event.provider_created_at, recurring=event.HasField("invoice_id")
    )


def asks_for_retries(item: AssessmentItem) -> bool:
    """Whether an answer may recommend a retry, so that the earlier attempts must be known first."""
    return not _BY_BUDGET.isdisjoint(item.questions)


def with_attempts(item: AssessmentItem, earlier: EarlierAttempts) -> AssessmentItem:
    """The same questions, with what counts against the card networks' budgets."""
    told = AssessmentItem()
    told.CopyFrom(item)
    told.payment.previous_attempts.extend(map(_timestamp, earlier.same_amount))
    told.payment.previous_attempts_other_amounts.extend(map(_timestamp, earlier.other_amounts))
    return told


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
