"""What the step of DlqReviewWorkflow needs from the outside."""

from collections.abc import Sequence
from typing import Protocol

from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from workflows.dlq_review.contract import PersistOutcome
from workflows.storage import Refused


class Quarantine(Protocol):
    """Keeps failures for review. A caller must not assume that two failures of an event are both kept: the first is."""

    async def keep(self, failures: Sequence[ValidationFailure]) -> Sequence[PersistOutcome | Refused]:
        """What became of each failure, in their order; one refused failure does not keep the others out.

        StorageUnavailableError when nothing can be said of any of them.
        """
        ...
