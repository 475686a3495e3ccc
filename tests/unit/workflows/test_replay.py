"""Saved histories replay: a change that would break running workflows fails here."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from services.orchestrator.adapters.interceptors import StepInterceptor
from services.orchestrator.adapters.temporal import PAYLOADS, WORKFLOWS
from services.runtime.clock import SystemClock
from tests.fakes.workflow_scenarios import SCENARIOS
from workflows.dlq_review import contract as dlq_review
from workflows.payment_event import contract as payment_event

pytestmark = pytest.mark.slow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def saved(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, json.loads(path.read_text()))


def replayer(*workflows: type) -> Replayer:
    return Replayer(
        workflows=workflows,
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=PAYLOADS,
        interceptors=[StepInterceptor(SystemClock(), ended=lambda _: None)],
    )


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_saved_history_replays(path: Path) -> None:
    await replayer(*WORKFLOWS).replay_workflow(saved(path))


def test_every_course_has_a_saved_history() -> None:
    assert [path.stem for path in HISTORIES] == sorted(SCENARIOS)


@workflow.defn(name=payment_event.WORKFLOW)
class WithoutSteps:
    @workflow.run
    async def run(self, order: payment_event.PaymentEventInput) -> payment_event.PaymentEventResult:
        return payment_event.PaymentEventResult(event_id=order.event.event_id)


@workflow.defn(name=dlq_review.WORKFLOW)
class WithRenamedStep:
    @workflow.run
    async def run(self, order: dlq_review.DlqReviewInput) -> dlq_review.DlqReviewResult:
        result: dlq_review.DlqReviewResult = await workflow.execute_local_activity(
            "keep_failure",
            order,
            result_type=dlq_review.DlqReviewResult,
            start_to_close_timeout=timedelta(seconds=10),
        )
        return result


@pytest.mark.parametrize(("changed", "course"), [(WithoutSteps, "approved"), (WithRenamedStep, "failure_kept")])
async def test_a_workflow_whose_steps_changed_does_not_replay(changed: type, course: str) -> None:
    path = next(path for path in HISTORIES if path.stem == course)
    with pytest.raises(NondeterminismError):
        await replayer(changed).replay_workflow(saved(path))
