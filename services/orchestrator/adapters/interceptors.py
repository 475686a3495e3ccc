"""Carries ids and trace context through Temporal's headers, times each step, and tells when a workflow has ended."""

from collections.abc import Callable, Mapping
from typing import Any

from temporalio import activity, client, worker, workflow
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from services.orchestrator.adapters.correlation import outgoing_headers, working_for
from services.orchestrator.losses import note_close
from services.runtime.clock import Clock
from services.runtime.grpc_server import error_frames
from services.runtime.metrics import histogram
from services.runtime.telemetry import logger, tracer
from workflows.errors import StepError

log = logger(__name__)

_ENCODING = {"encoding": b"binary/plain"}
Headers = Mapping[str, Payload]


def to_payloads(headers: Mapping[str, str]) -> dict[str, Payload]:
    """Headers as Temporal carries them."""
    return {name: Payload(metadata=_ENCODING, data=value.encode()) for name, value in headers.items()}


def from_payloads(headers: Headers) -> dict[str, str]:
    """Headers as they were."""
    return {name: payload.data.decode("utf-8", "replace") for name, payload in headers.items()}


class StartInterceptor(client.Interceptor):
    """Gives each started workflow the headers of the event at hand."""

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:  # noqa: A002 - theirs
        """Stand before the client."""
        return _Start(next)


class _Start(client.OutboundInterceptor):
    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:  # noqa: A002
        input.headers = {**input.headers, **to_payloads(outgoing_headers())}
        return await super().start_workflow(input)


class StepInterceptor(worker.Interceptor):
    """Passes a workflow's headers on to its steps, and runs each step under them."""

    def __init__(self, clock: Clock, *, ended: Callable[[str], None]) -> None:
        """`ended` is told the workflow id of each workflow that ends in this process."""
        self._clock = clock
        self._ended = ended

    def workflow_interceptor_class(
        self,
        input: worker.WorkflowInterceptorClassInput,  # noqa: A002 - theirs
    ) -> type[worker.WorkflowInboundInterceptor]:
        """The class that Temporal makes anew for each workflow."""
        del input
        ended = self._ended

        class Workflow(_Workflow):
            tell_ended = staticmethod(ended)

        return Workflow

    def intercept_activity(self, next: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:  # noqa: A002
        """Stand before each step."""
        return _Step(next, self._clock)


class _Workflow(worker.WorkflowInboundInterceptor):
    """Runs inside the workflow: nothing here may depend on anything but the workflow's own history."""

    tell_ended: Callable[[str], None]

    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        self._outbound = _Calls(outbound)
        super().init(self._outbound)

    async def execute_workflow(self, input: worker.ExecuteWorkflowInput) -> Any:  # noqa: A002
        self._outbound.headers = input.headers
        try:
            result = await super().execute_workflow(input)
        except FailureError as error:
            self.tell_ended(workflow.info().workflow_id)
            note_close(workflow.info().workflow_id, "canceled" if is_cancelled_exception(error) else "failed")
            raise
        # Not in a finally: a workflow that is put out of the cache leaves here as well, and has not ended.
        self.tell_ended(workflow.info().workflow_id)
        return result


class _Calls(worker.WorkflowOutboundInterceptor):
    def __init__(self, next: worker.WorkflowOutboundInterceptor) -> None:  # noqa: A002 - theirs
        super().__init__(next)
        self.headers: Headers = {}

    def start_activity(self, input: worker.StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        input.headers = {**input.headers, **self.headers}
        return super().start_activity(input)

    def start_local_activity(self, input: worker.StartLocalActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        input.headers = {**input.headers, **self.headers}
        return super().start_local_activity(input)


class _Step(worker.ActivityInboundInterceptor):
    def __init__(self, next: worker.ActivityInboundInterceptor, clock: Clock) -> None:  # noqa: A002 - theirs
        super().__init__(next)
        self._clock = clock
        self._tracer = tracer(__name__)

    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        started = self._clock.monotonic()
        outcome = "failed"
        with working_for(from_payloads(input.headers)), self._tracer.start_as_current_span(info.activity_type):
            try:
                result = await super().execute_activity(input)
                outcome = "done"
            except StepError as error:
                log.warning("step.failed", step=info.activity_type, attempt=info.attempt, **_told(error, str(error)))
                raise
            except Exception as error:
                if is_cancelled_exception(error):
                    raise
                # A fault of ours: its text may repeat values, so that only its kind and place go on.
                told = _told(error, " < ".join(error_frames(error)))
                log.error("step.failed", step=info.activity_type, attempt=info.attempt, **told)  # noqa: TRY400
                raise ApplicationError(f"{told['error']} at {told['reason']}", type=told["error"]) from None
            finally:
                seconds = self._clock.monotonic() - started
                histogram("tidegate_step_duration_seconds").labels(info.activity_type, outcome).observe(seconds)
        return result


def _told(error: Exception, reason: str) -> dict[str, str]:
    return {"error": type(error).__name__, "reason": reason}
