"""Temporal: the client, the worker in the same process, and starts that this worker gets without asking the server."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.converter import (
    BinaryNullPayloadConverter,
    BinaryPlainPayloadConverter,
    BinaryProtoPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    JSONPlainPayloadConverter,
    JSONProtoPayloadConverter,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import PollerBehaviorSimpleMaximum, UnsandboxedWorkflowRunner, Worker

from services.orchestrator.adapters.correlation import working_for
from services.orchestrator.adapters.interceptors import StartInterceptor, StepInterceptor
from services.orchestrator.handler import WorkflowStart
from services.orchestrator.ports import RunStatus, StartOutcome, StartRefusedError, TemporalUnavailableError
from services.orchestrator.settings import TemporalSettings
from services.runtime.telemetry import tracer
from workflows.dlq_review.workflow import DlqReviewWorkflow
from workflows.payment_event.contract import TASK_QUEUE
from workflows.payment_event.workflow import PaymentEventWorkflow

WORKFLOWS: Sequence[type] = (PaymentEventWorkflow, DlqReviewWorkflow)

_RPC_TIMEOUT = timedelta(seconds=10)
_HEALTH_TIMEOUT = timedelta(seconds=2)
_STATUSES: Mapping[WorkflowExecutionStatus, RunStatus] = {
    WorkflowExecutionStatus.RUNNING: "running",
    # Goes on as another run under the same id.
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "running",
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "canceled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}
_REFUSALS = {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.OUT_OF_RANGE}


class ProtobufPayloads(CompositePayloadConverter):
    """Messages travel as Protobuf's bytes: an event with its decision takes 10 us there and back, as JSON 540."""

    def __init__(self) -> None:
        super().__init__(
            BinaryNullPayloadConverter(),
            BinaryProtoPayloadConverter(),
            BinaryPlainPayloadConverter(),
            JSONProtoPayloadConverter(),
            JSONPlainPayloadConverter(),
        )


PAYLOADS = DataConverter(payload_converter_class=ProtobufPayloads)


async def connect(settings: TemporalSettings, runtime: Runtime | None = None) -> Client:
    """A client of the platform's namespace; TemporalUnavailableError when the server does not answer."""
    api_key = settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None
    try:
        return await Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            api_key=api_key,
            tls=settings.temporal_tls or api_key is not None,
            data_converter=PAYLOADS,
            interceptors=[StartInterceptor()],
            runtime=runtime,
        )
    except (RuntimeError, RPCError) as error:
        raise TemporalUnavailableError(f"Temporal at {settings.temporal_address} does not answer") from error


def logged_runtime() -> Runtime:
    """The SDK's core with its log lines among ours."""
    # What our own lines tell already, with the text of exceptions besides.
    logging.getLogger("temporalio.activity").setLevel(logging.ERROR)
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    logs = LoggingConfig(filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(telemetry=TelemetryConfig(logging=logs))


def worker(
    client: Client,
    activities: Sequence[Callable[..., Any]],
    interceptor: StepInterceptor,
    *,
    in_flight: int,
    task_queue: str = TASK_QUEUE,
    workflows: Sequence[type] = WORKFLOWS,
    workflow_pollers: int = 2,
    activity_pollers: int = 1,
) -> Worker:
    """The worker that runs the workflows of this process.

    Unsandboxed: the sandbox costs 1.7 times the throughput with modules as lean as ours; that workflows stay
    deterministic is kept by import rules and by replaying saved histories. A workflow holds its task slot while its
    local activities run, so every bound here is above what can be in flight, with room for workflows of lost workers.
    """
    most = in_flight * 2
    return Worker(
        client,
        task_queue=task_queue,
        workflows=workflows,
        activities=activities,
        interceptors=[interceptor],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=most,
        max_concurrent_workflow_tasks=most,
        max_concurrent_local_activities=most * 2,
        max_concurrent_activities=most,
        # Nearly all work comes with the start: long polls only bring what other workers left.
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(workflow_pollers),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(activity_pollers),
        graceful_shutdown_timeout=timedelta(seconds=5),
    )


class TemporalStarter:
    """A WorkflowStarter whose workflows begin in this process, with the answer to their start."""

    def __init__(self, client: Client, task_queue: str = TASK_QUEUE) -> None:
        self._client = client
        self._task_queue = task_queue
        self._tracer = tracer(__name__)

    async def start(self, start: WorkflowStart) -> StartOutcome:
        """Start it, or find it running or completed under its id."""
        with working_for(start.headers), self._tracer.start_as_current_span(f"start {start.workflow}"):
            try:
                handle = await self._client.start_workflow(
                    start.workflow,
                    start.order,
                    id=start.workflow_id,
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    request_eager_start=True,
                    rpc_timeout=_RPC_TIMEOUT,
                )
            except WorkflowAlreadyStartedError:
                return "finished"
            except RPCError as error:
                if error.status in _REFUSALS:
                    raise StartRefusedError(error.status.name) from error
                raise TemporalUnavailableError(f"Temporal answers {error.status.name}") from error
        response = handle._start_workflow_response  # noqa: SLF001 - nowhere else does the SDK tell
        return "started" if response is None or response.started else "running"

    async def status(self, workflow_id: str) -> RunStatus:
        """How the newest run of a workflow stands."""
        try:
            description = await self._client.get_workflow_handle(workflow_id).describe(rpc_timeout=_RPC_TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return "forgotten"
            raise TemporalUnavailableError(f"Temporal answers {error.status.name}") from error
        except ValueError:
            # A status that this SDK cannot name, such as a paused run's. It can name all that end a run.
            return "running"
        return _STATUSES[description.status] if description.status is not None else "running"

    async def check(self) -> None:
        """Ask the front end for a sign of life."""
        try:
            await self._client.service_client.check_health(timeout=_HEALTH_TIMEOUT)
        except RPCError as error:
            raise TemporalUnavailableError(f"Temporal does not answer: {error.status.name}") from error
