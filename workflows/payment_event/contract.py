"""Names and messages of PaymentEventWorkflow and its steps."""

from typing import Final

from tidegate.review.v1.payment_event_pb2 import (
    PERSIST_OUTCOME_DUPLICATE,
    PERSIST_OUTCOME_QUARANTINED,
    PERSIST_OUTCOME_STORED,
    AssessPaymentInput,
    AssessPaymentResult,
    PaymentEventInput,
    PaymentEventResult,
    PersistDecisionInput,
    PersistDecisionResult,
    PersistOutcome,
    ValidateBusinessRulesInput,
    ValidateBusinessRulesResult,
)

WORKFLOW: Final = "PaymentEventWorkflow"
# Both workflows share one queue: they share the process that starts and runs them.
TASK_QUEUE: Final = "payment-events"

VALIDATE_BUSINESS_RULES: Final = "validate_business_rules"
ASSESS_PAYMENT: Final = "assess_payment"
PERSIST_DECISION: Final = "persist_decision"

__all__ = [
    "ASSESS_PAYMENT",
    "PERSIST_DECISION",
    "PERSIST_OUTCOME_DUPLICATE",
    "PERSIST_OUTCOME_QUARANTINED",
    "PERSIST_OUTCOME_STORED",
    "TASK_QUEUE",
    "VALIDATE_BUSINESS_RULES",
    "WORKFLOW",
    "AssessPaymentInput",
    "AssessPaymentResult",
    "PaymentEventInput",
    "PaymentEventResult",
    "PersistDecisionInput",
    "PersistDecisionResult",
    "PersistOutcome",
    "ValidateBusinessRulesInput",
    "ValidateBusinessRulesResult",
]
