"""The step of DlqReviewWorkflow, over its port."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity

from workflows.dlq_review.contract import QUARANTINE_FAILURE, DlqReviewInput, DlqReviewResult
from workflows.dlq_review.ports import Quarantine
from workflows.errors import RecordRefusedError
from workflows.storage import Refused


class DlqReviewActivities:
    """Steps as Temporal calls them."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine

    @property
    def all(self) -> Sequence[Callable[..., Any]]:
        """What a worker registers."""
        return [self.quarantine_failure]

    @activity.defn(name=QUARANTINE_FAILURE)
    async def quarantine_failure(self, order: DlqReviewInput) -> DlqReviewResult:
        """Keep one failure."""
        (outcome,) = await self._quarantine.keep([order.failure])
        if isinstance(outcome, Refused):
            raise RecordRefusedError(outcome.reason)
        return DlqReviewResult(event_id=order.failure.event_id, outcome=outcome)
