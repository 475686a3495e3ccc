"""The workflows on a real Temporal server: what each course ends with, how often steps are tried, what it costs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.runtime import BufferedMetricUpdate, MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import WorkflowEnvironment
from tidegate.decisions.v1.payment_decision_pb2 import (
    DECISION_ACTION_APPROVE,
    DECISION_ACTION_BLOCK,
    DECISION_ACTION_RECORD,
    DECISION_ACTION_RETRY,
    DECISION_ACTION_REVIEW,
)

from services.orchestrator.adapters.interceptors import StepInterceptor
from services.orchestrator.adapters.temporal import PAYLOADS, TemporalStarter, worker
from services.orchestrator.handler import start_for_event
from services.runtime.clock import SystemClock, SystemIds
from services.runtime.errors import Position
from tests.fakes.payments import failed, recorded, succeeded
from tests.fakes.scoring import FakeScoring
from tests.fakes.workflow_scenarios import SCENARIOS, Scenario, away, on_event
from tests.integration.temporal_server import skipping_time
from workflows.errors import ScoringOutageError, ScoringRefusedError, ScoringUnavailableError
from workflows.payment_event.contract import (
    PERSIST_OUTCOME_DUPLICATE,
    PERSIST_OUTCOME_QUARANTINED,
    PERSIST_OUTCOME_STORED,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_time() as environment:
        yield environment


async def run(temporal: WorkflowEnvironment, scenario: Scenario, name: str) -> tuple[Any, WorkflowHandle[Any, Any]]:
    """Run one scenario on a queue of its own to its end."""
    interceptor = StepInterceptor(SystemClock(), ended=lambda _: None)
    async with worker(temporal.client, scenario.activities, interceptor, in_flight=10, task_queue=name):
        handle = await temporal.client.start_workflow(
            scenario.workflow, scenario.order, id=name, task_queue=name, request_eager_start=True
        )
        return await asyncio.wait_for(handle.result(), 60), handle


async def history(handle: WorkflowHandle[Any, Any]) -> Sequence[HistoryEvent]:
    return [event async for event in handle.fetch_history_events()]


def lasted(events: Sequence[HistoryEvent]) -> timedelta:
    return events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("approved", DECISION_ACTION_APPROVE),
        ("retried", DECISION_ACTION_RETRY),
        ("recorded_without_questions", DECISION_ACTION_RECORD),
        ("blocked", DECISION_ACTION_BLOCK),
    ],
)
async def test_an_event_is_decided_on_and_stored_within_twelve_history_events(
    temporal: WorkflowEnvironment, name: str, action: int
) -> None:
    scenario = SCENARIOS[name]()
    result, handle = await run(temporal, scenario, name)
    assert (result.action, result.degraded, result.outcome) == (action, False, PERSIST_OUTCOME_STORED)
    assert scenario.store.records[result.event_id].decision.action == action
    assert len(await history(handle)) <= 12


async def test_rules_are_tried_three_times_a_second_apart_and_then_more(temporal: WorkflowEnvironment) -> None:
    scenario = SCENARIOS["rules_back_on_third_try"]()
    result, handle = await run(temporal, scenario, "rules-third")
    assert scenario.rules.calls == 3
    assert not result.degraded
    assert lasted(await history(handle)) >= timedelta(seconds=1 + 2)


async def test_an_event_whose_rules_cannot_be_read_is_stored_degraded_and_not_approved(
    temporal: WorkflowEnvironment,
) -> None:
    scenario = SCENARIOS["rules_away"]()
    result, _ = await run(temporal, scenario, "rules-away")
    decision = scenario.store.records[result.event_id].decision
    assert [(step.step, step.cause) for step in decision.degraded_steps] == [
        ("validate_business_rules", "RulesUnavailableError")
    ]
    assert (result.action, result.outcome) == (DECISION_ACTION_REVIEW, PERSIST_OUTCOME_STORED)
    assert decision.HasField("fraud")


async def test_an_event_that_no_model_answers_is_stored_degraded_and_not_retried(temporal: WorkflowEnvironment) -> None:
    scenario = SCENARIOS["models_away"]()
    result, _ = await run(temporal, scenario, "models-away")
    decision = scenario.store.records[result.event_id].decision
    assert [(step.step, step.cause) for step in decision.degraded_steps] == [
        ("assess_payment", "ScoringUnavailableError")
    ]
    assert len(scenario.scoring.asked) == 9
    assert (result.action, result.outcome) == (DECISION_ACTION_REVIEW, PERSIST_OUTCOME_STORED)


async def test_an_event_whose_earlier_attempts_cannot_be_read_is_stored_degraded_without_a_retry(
    temporal: WorkflowEnvironment,
) -> None:
    scenario = SCENARIOS["attempts_away"]()
    result, _ = await run(temporal, scenario, "attempts-away")
    decision = scenario.store.records[result.event_id].decision
    assert [(step.step, step.cause) for step in decision.degraded_steps] == [
        ("assess_payment", "AttemptsUnavailableError")
    ]
    assert (scenario.attempts.calls, scenario.scoring.asked) == (9, [])
    assert (result.action, result.outcome) == (DECISION_ACTION_REVIEW, PERSIST_OUTCOME_STORED)
    assert not decision.HasField("retry")
    assert not decision.HasField("recovery")


async def test_a_workflow_that_is_run_again_after_its_decision_was_stored_ends_with_what_is_stored(
    temporal: WorkflowEnvironment,
) -> None:
    scenario = on_event(succeeded(), scoring=FakeScoring(failures=away(ScoringRefusedError, 1)))
    await scenario.store.persist([recorded(succeeded())])
    result, _ = await run(temporal, scenario, "run-again")
    assert (result.action, result.degraded, result.outcome) == (
        DECISION_ACTION_APPROVE,
        False,
        PERSIST_OUTCOME_DUPLICATE,
    )


async def test_an_event_outlasts_a_restart_of_inference_and_stays_within_twelve_history_events(
    temporal: WorkflowEnvironment,
) -> None:
    # Tried again after 0.2, 0.4, 0.8, 1.6, 3 and 3 s.
    scenario = on_event(failed(), scoring=FakeScoring(failures=away(ScoringUnavailableError, 6)))
    result, handle = await run(temporal, scenario, "models-restarted")
    events = await history(handle)
    assert (result.action, result.degraded) == (DECISION_ACTION_RETRY, False)
    assert lasted(events) >= timedelta(seconds=8.5)
    assert len(events) <= 12, [event.event_type for event in events]


async def test_an_event_does_not_wait_for_models_that_are_given_up(temporal: WorkflowEnvironment) -> None:
    scenario = on_event(succeeded(), scoring=FakeScoring(failures=away(ScoringOutageError, 1)))
    result, _ = await run(temporal, scenario, "models-given-up")
    assert len(scenario.scoring.asked) == 1
    assert result.degraded


async def test_a_question_that_the_models_refuse_is_asked_once(temporal: WorkflowEnvironment) -> None:
    scenario = SCENARIOS["models_refuse"]()
    result, _ = await run(temporal, scenario, "models-refuse")
    assert len(scenario.scoring.asked) == 1
    assert result.degraded


async def test_persisting_goes_on_with_the_servers_attempts_when_the_local_ones_are_used_up(
    temporal: WorkflowEnvironment,
) -> None:
    scenario = SCENARIOS["storage_away_for_long"]()
    result, handle = await run(temporal, scenario, "storage-long")
    events = await history(handle)
    assert scenario.store.calls == 5 + 8 + 1
    assert (result.degraded, result.outcome) == (False, PERSIST_OUTCOME_STORED)
    (scheduled,) = [
        event.activity_task_scheduled_event_attributes
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    assert scheduled.activity_type.name == "persist_decision"
    assert scheduled.retry_policy.maximum_attempts == 0
    assert scheduled.retry_policy.maximum_interval.ToTimedelta() == timedelta(seconds=10)
    # 0.5 + 1 + 2 + 4 s of local waiting, then 1, 2, 4, 8 and four times 10 s of the server's: skipped, not slept.
    assert lasted(events) >= timedelta(seconds=7.5 + 15 + 40)


async def test_an_event_that_storage_refuses_is_put_in_quarantine_under_its_origin(
    temporal: WorkflowEnvironment,
) -> None:
    scenario = SCENARIOS["storage_refuses"]()
    result, handle = await run(temporal, scenario, "storage-refuses")
    assert result.outcome == PERSIST_OUTCOME_QUARANTINED
    assert scenario.store.calls == 1
    kept = scenario.quarantine.kept["stripe:evt_1"]
    assert kept.origin.offset == 17
    assert kept.violations[0].rule_id == "storage.refused"
    assert "payment_events_amount_cents_check" in kept.violations[0].message
    assert len(await history(handle)) <= 12


@pytest.mark.parametrize(("name", "calls"), [("failure_kept", 1), ("failure_kept_after_long", 5 + 4 + 1)])
async def test_a_failure_is_kept_however_long_storage_is_away(
    temporal: WorkflowEnvironment, name: str, calls: int
) -> None:
    scenario = SCENARIOS[name]()
    result, _ = await run(temporal, scenario, name)
    assert result.outcome == PERSIST_OUTCOME_STORED
    assert scenario.quarantine.calls == calls
    assert scenario.quarantine.kept["stripe:evt_1"].violations[0].rule_id == "currency.unsupported"


async def test_an_event_costs_at_most_three_round_trips_to_the_server(temporal: WorkflowEnvironment) -> None:
    events = 20
    buffer = MetricBuffer(100_000)
    client = await temporal.connect_client(
        data_converter=PAYLOADS, runtime=Runtime(telemetry=TelemetryConfig(metrics=buffer))
    )
    scenario = SCENARIOS["approved"]()
    ended = asyncio.Semaphore(0)
    interceptor = StepInterceptor(SystemClock(), ended=lambda _: ended.release())
    async with worker(client, scenario.activities, interceptor, in_flight=events, task_queue="round-trips"):
        starter = TemporalStarter(client, "round-trips")
        await _until_polling(client, "round-trips")
        await ended.acquire()
        buffer.retrieve_updates()
        starts = [start_for_event(succeeded(f"trip{number}"), Position("t", 0, number), {}) for number in range(events)]
        assert await asyncio.gather(*map(starter.start, starts)) == ["started"] * events
        for _ in range(events):
            await asyncio.wait_for(ended.acquire(), 30)
        await asyncio.sleep(0.5)  # the last answers are on their way
        calls = _calls(buffer.retrieve_updates())
    assert calls["StartWorkflowExecution"] == events
    assert sum(calls.values()) <= 3 * events, calls


async def test_a_start_says_whether_the_workflow_runs_or_has_finished(temporal: WorkflowEnvironment) -> None:
    scenario = SCENARIOS["storage_back_on_second_try"]()
    interceptor = StepInterceptor(SystemClock(), ended=lambda _: None)
    start = start_for_event(succeeded("twice"), Position("t", 0, 1), {})
    async with worker(temporal.client, scenario.activities, interceptor, in_flight=10, task_queue="twice"):
        starter = TemporalStarter(temporal.client, "twice")
        assert await starter.start(start) == "started"
        assert await starter.start(start) == "running"
        assert await starter.status(start.workflow_id) == "running"
        await asyncio.wait_for(temporal.client.get_workflow_handle(start.workflow_id).result(), 30)
        assert await starter.start(start) == "finished"
        assert await starter.status(start.workflow_id) == "completed"
        await starter.check()
    assert await starter.status("never started") == "forgotten"
    assert scenario.store.calls == 2


async def test_an_event_whose_workflow_was_terminated_is_decided_when_it_is_delivered_again(
    temporal: WorkflowEnvironment,
) -> None:
    scenario = SCENARIOS["approved"]()
    start = start_for_event(succeeded("ended"), Position("t", 0, 1), {})
    stuck = TemporalStarter(temporal.client, "nobody-listens")
    assert await stuck.start(start) == "started"
    await temporal.client.get_workflow_handle(start.workflow_id).terminate("as an operator does")
    assert await stuck.status(start.workflow_id) == "terminated"
    interceptor = StepInterceptor(SystemClock(), ended=lambda _: None)
    async with worker(temporal.client, scenario.activities, interceptor, in_flight=10, task_queue="ended"):
        starter = TemporalStarter(temporal.client, "ended")
        assert await starter.start(start) == "started"
        await asyncio.wait_for(temporal.client.get_workflow_handle(start.workflow_id).result(), 30)
        assert await starter.start(start) == "finished"
    assert list(scenario.store.records) == ["stripe:evt_ended"]


async def test_a_workflow_that_an_operator_pauses_has_not_ended(temporal: WorkflowEnvironment) -> None:
    """A status that the SDK cannot name; whoever looks for workflows that ended would stumble over it."""
    start = start_for_event(succeeded("paused"), Position("t", 0, 1), {})
    starter = TemporalStarter(temporal.client, "nobody-listens")
    await starter.start(start)
    pause = PauseWorkflowExecutionRequest(
        namespace=temporal.client.namespace, workflow_id=start.workflow_id, request_id="pause", reason="as told"
    )
    await temporal.client.workflow_service.pause_workflow_execution(pause)
    with pytest.raises(ValueError, match="WorkflowExecutionStatus"):
        await temporal.client.get_workflow_handle(start.workflow_id).describe()
    assert await starter.status(start.workflow_id) == "running"


async def _until_polling(client: Client, task_queue: str) -> None:
    """A start is eager only once the worker has said that it is there."""
    for _ in range(100):
        if await _is_eager(client, task_queue):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("no start was eager")


async def _is_eager(client: Client, task_queue: str) -> bool:
    order = SCENARIOS["approved"]().order
    handle = await client.start_workflow(
        "PaymentEventWorkflow", order, id=f"probe-{SystemIds().new()}", task_queue=task_queue, request_eager_start=True
    )
    await handle.result()
    return bool(handle.__dict__["__temporal_eagerly_started"])


def _calls(updates: Sequence[BufferedMetricUpdate]) -> Counter[str]:
    """Requests by operation, without the long polls that all workflows share."""
    calls: Counter[str] = Counter()
    for update in updates:
        if update.metric.name == "temporal_request":
            calls[str(update.attributes["operation"])] += int(update.value)
    return calls
