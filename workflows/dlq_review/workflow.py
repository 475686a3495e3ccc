"""DlqReviewWorkflow: puts one failure in quarantine, however long storage is away."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.dlq_review.contract import QUARANTINE_FAILURE, WORKFLOW, DlqReviewInput, DlqReviewResult


async def quarantine(order: DlqReviewInput) -> DlqReviewResult:
    """Keep a failure: as a local activity, which costs no server round trip, and as a regular one in an outage."""
    try:
        kept: DlqReviewResult = await workflow.execute_local_activity(
            QUARANTINE_FAILURE,
            order,
            result_type=DlqReviewResult,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_attempts=5
            ),
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
    else:
        return kept
    # Its attempts are the server's: they go on whatever becomes of this worker.
    kept = await workflow.execute_activity(
        QUARANTINE_FAILURE,
        order,
        result_type=DlqReviewResult,
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=10)
        ),
    )
    return kept  # noqa: RET504 - types the SDK's Any


@workflow.defn(name=WORKFLOW)
class DlqReviewWorkflow:
    """One failure in, one row in quarantine out. Its workflow id follows from the event_id."""

    @workflow.run
    async def run(self, order: DlqReviewInput) -> DlqReviewResult:
        """Keep the failure."""
        return await quarantine(order)
