"""What the step of DlqReviewWorkflow needs from the outside."""

from collections.abc import Sequence
from typing import Protocol

from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from workflows.dlq_review.contract import PersistOutcome


class Quarantine(Protocol):
    """Keeps failures for review. A caller must not assume that two failures of an event are both kept: the first is."""

    async def keep(self, failures: Sequence[ValidationFailure]) -> Sequence[PersistOutcome]:
        """Keep all of them, or raise and keep none; outcomes come in the order of the failures."""
        ...
