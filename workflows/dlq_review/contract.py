"""Names and messages of DlqReviewWorkflow and its step."""

from typing import Final

from tidegate.review.v1.dlq_review_pb2 import DlqReviewInput, DlqReviewResult
from tidegate.review.v1.payment_event_pb2 import (
    PERSIST_OUTCOME_DUPLICATE,
    PERSIST_OUTCOME_STORED,
    PersistOutcome,
)

WORKFLOW: Final = "DlqReviewWorkflow"
QUARANTINE_FAILURE: Final = "quarantine_failure"

__all__ = [
    "PERSIST_OUTCOME_DUPLICATE",
    "PERSIST_OUTCOME_STORED",
    "QUARANTINE_FAILURE",
    "WORKFLOW",
    "DlqReviewInput",
    "DlqReviewResult",
    "PersistOutcome",
]
