"""Serves gRPC: contracts checked both ways, metrics, trace and receipt continued, health, reflection, orderly stop."""

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from opentelemetry import trace
from prometheus_client import Histogram

from services.runtime import contract, headers
from services.runtime.clock import Clock
from services.runtime.errors import BrokenRule, ContractViolationError, Findings
from services.runtime.metrics import histogram
from services.runtime.telemetry import incoming_trace, is_tracing, logger, tracer

Code = Literal["OK", "CANCELLED", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "UNAVAILABLE", "INTERNAL"]
Behaviour = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Message]]

STATUS_DETAILS = "grpc-status-details-bin"
_TRACEPARENT = "traceparent"
_CONTINUED = frozenset((_TRACEPARENT, "tracestate", headers.RECEIPT_ID, headers.EVENT_ID))
# Metadata is the caller's text: only what looks like an id gets into a log line.
_LOGGED = {headers.RECEIPT_ID: "receipt_id", headers.EVENT_ID: "event_id"}
_ID = re.compile(r"[A-Za-z0-9_:.\-]{1,220}")
_FRAMES_TOLD = 6
# Status and message travel in the trailers, details in base 64. A client drops a call whose trailers exceed 16 KiB and
# may drop one from 8 KiB on: it would see RESOURCE_EXHAUSTED in place of the refusal.
_DETAIL_BYTES = 4096
# At most a second, less when nobody calls.
_TURN_AWAY_ROUNDS = 10
_TURN_AWAY_SECONDS = 0.1

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of the server's certificate chain and its key."""

    certificate: Path
    key: Path


@dataclass
class Door:
    """Whether calls are let in. Closed at the end, so that late calls hear UNAVAILABLE from us."""

    is_open: bool = True
    turned_away: int = 0


class RpcGate(grpc.aio.ServerInterceptor):
    """Stands before every unary call: one wrapped handler a method, made on its first call.

    Off-contract requests are refused with INVALID_ARGUMENT and google.rpc.BadRequest; off-contract answers and errors
    become INTERNAL and a log line, without a word of their content. Streams and the server's own services pass.
    """

    def __init__(self, clock: Clock, door: Door, *, own_services: frozenset[str]) -> None:
        self._clock = clock
        self._door = door
        self._own_services = own_services
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any] | None] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The wrapped handler of a method, or its bare one where it is not ours."""
        method = handler_call_details.method
        if method in self._wrapped:
            return self._wrapped[method]
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or _service(method) not in self._own_services:
            return handler  # not kept: names of unknown methods are the caller's, and without end
        wrapped = grpc.unary_unary_rpc_method_handler(
            # A coroutine function: grpc.aio would run anything else on a thread.
            CheckedCall(method, cast("Behaviour", handler.unary_unary), self._clock, self._door).answer,
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        self._wrapped[method] = wrapped
        return wrapped


class CheckedCall:
    """One method's behaviour with everything that belongs around it."""

    def __init__(self, method: str, behaviour: Behaviour, clock: Clock, door: Door) -> None:
        self._method = method.lstrip("/")
        self._door = door
        self._behaviour = behaviour
        self._now = clock.monotonic
        self._durations: dict[Code, Histogram] = {}
        self._tracer = tracer(__name__)
        self._tracing = is_tracing()

    async def answer(self, request: Message | None, context: "grpc.aio.ServicerContext[Any, Any]") -> Message:
        """Answer a request, or abort with the status that says what went wrong."""
        started = self._now()
        code: Code = "INTERNAL"
        try:
            if not self._door.is_open:
                code = "UNAVAILABLE"
                self._door.turned_away += 1
                await _abort(context, grpc.StatusCode.UNAVAILABLE, "this server is stopping; ask another, or again")
            metadata = _metadata(context)
            faults = _request_faults(request)
            if faults.told:
                code = "INVALID_ARGUMENT"
                await self._refuse(context, faults)
            if _deadline_passed(context):
                code = "DEADLINE_EXCEEDED"
                await _abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the work began")
            if self._tracing or _TRACEPARENT in metadata:
                answer = await self._traced(request, context, metadata)
            else:
                answer = await self._behaviour(request, context)
            contract.check(answer)
            code = "OK"
        except asyncio.CancelledError:
            # The client went away or its deadline passed: nobody reads an answer, and the work has stopped.
            code = "DEADLINE_EXCEEDED" if _deadline_passed(context) else "CANCELLED"
            raise
        except grpc.aio.AbortError:
            raise
        except ContractViolationError as error:
            rules = _told(error.broken[: contract.MOST_TOLD])
            _log.error("rpc.failed", method=self._method, error="off-contract answer", rules=rules)
            await _abort(context, grpc.StatusCode.INTERNAL, "the answer broke its own contract and was withheld")
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes a status
            _log.error("rpc.failed", method=self._method, error=type(error).__name__, at=error_frames(error))
            await _abort(context, grpc.StatusCode.INTERNAL, f"internal error: {type(error).__name__}")
        finally:
            self._observe(code, self._now() - started)
        return answer

    async def _traced(self, request: Any, context: Any, metadata: Mapping[str, str]) -> Message:
        with incoming_trace(metadata), self._tracer.start_as_current_span(self._method, kind=trace.SpanKind.SERVER):
            return await self._behaviour(request, context)

    async def _refuse(self, context: Any, faults: Findings) -> None:
        _log.warning("rpc.invalid", method=self._method, rules=_told(faults.told), more=faults.more)
        status = refusal_status(faults)
        trailing = ((STATUS_DETAILS, status.SerializeToString()),)
        await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, status.message, trailing)

    def _observe(self, code: Code, seconds: float) -> None:
        duration = self._durations.get(code)
        if duration is None:
            duration = histogram("tidegate_rpc_duration_seconds").labels(self._method, code)
            self._durations[code] = duration
        duration.observe(seconds)


async def _abort(
    context: "grpc.aio.ServicerContext[Any, Any]",
    code: grpc.StatusCode,
    words: str,
    trailing: tuple[tuple[str, bytes], ...] = (),
) -> NoReturn:
    """End a call. One that is over before it can be told why, by its deadline or its client, counts as cancelled."""
    try:
        await context.abort(code, words, trailing)
    except grpc.aio.InternalError as error:
        raise asyncio.CancelledError from error


class GrpcServer:
    """One server with its services, their health and reflection. Start it inside the loop that it is to run on."""

    def __init__(self, services: Sequence[str], clock: Clock, tls: TlsFiles | None = None) -> None:
        self._services = tuple(services)
        self._tls = tls
        self._health = HealthServicer()
        self._door = Door()
        self.server = grpc.aio.server(
            interceptors=[RpcGate(clock, self._door, own_services=frozenset(services))],
            # Two processes on one port would each get half of the calls; without this the second fails to start.
            options=[("grpc.so_reuseport", 0)],
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        names = (*services, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self.server)

    async def start(self, address: str) -> int:
        """Listen on host:port (port 0: any free one), serve, and report healthy; returns the port."""
        port = self._bind(address)
        await self.server.start()
        for service in self._services:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, *, drain_seconds: float, grace_seconds: float) -> None:
        """Report unhealthy, go on answering while callers turn away, then finish what is in flight."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(drain_seconds)
        await self._turn_away()
        await self.server.stop(grace_seconds)

    async def _turn_away(self) -> None:
        """Answer UNAVAILABLE until no more calls come: those the core has queued would be CANCELLED by its stop."""
        self._door.is_open = False
        for _ in range(_TURN_AWAY_ROUNDS):
            before = self._door.turned_away
            await asyncio.sleep(_TURN_AWAY_SECONDS)
            if self._door.turned_away == before:
                return

    def _bind(self, address: str) -> int:
        try:
            if self._tls is None:
                return self.server.add_insecure_port(address)
            pair = (self._tls.key.read_bytes(), self._tls.certificate.read_bytes())
            return self.server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: is the port in use, the host one of this machine?") from error


def refusal_status(faults: Findings) -> Status:
    """The status of an off-contract request: the first broken rules with their fields, and no value."""
    details = BadRequest(field_violations=_fitting(faults.told))
    packed = AnyMessage()
    packed.Pack(details)
    first = faults.told[0]
    detailed = len(details.field_violations)
    return Status(
        code=grpc.StatusCode.INVALID_ARGUMENT.value[0],
        message=f"off-contract request: {first.field_path or 'message'}: {first.message} [{first.rule_id}]"
        f"{_and_more(faults, detailed)}",
        details=[packed],
    )


def _fitting(broken: Sequence[BrokenRule]) -> Sequence[BadRequest.FieldViolation]:
    """Rules as details, as many as a client takes; the first in any case."""
    fitting: list[BadRequest.FieldViolation] = []
    size = 0
    for rule in broken:
        violation = BadRequest.FieldViolation(
            field=rule.field_path, description=f"{rule.message} [{rule.rule_id}]", reason=_reason(rule.rule_id)
        )
        size += violation.ByteSize()
        if fitting and size > _DETAIL_BYTES:
            break
        fitting.append(violation)
    return fitting


def _and_more(faults: Findings, detailed: int) -> str:
    """What the message adds to the first rule."""
    if faults.more is None:
        return "; there may be more: of a large request only the first is looked for"
    others = len(faults.told) - 1 + faults.more
    if others == 0:
        return ""
    return f" and {others} more" + (f"; the first {detailed} are in the details" if detailed <= others else "")


def bind_ids(metadata: Mapping[str, str]) -> None:
    """Put the caller's receipt and event ids on every log line of this task."""
    for header, name in _LOGGED.items():
        if (value := metadata.get(header)) is not None and _ID.fullmatch(value):
            structlog.contextvars.bind_contextvars(**{name: value})


def error_frames(error: BaseException) -> list[str]:
    """Where an error came from, innermost last: file, line and function, without the error's text or any value."""
    told = traceback.extract_tb(error.__traceback__)[-_FRAMES_TOLD:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in told]


def _reason(rule_id: str) -> str:
    """A rule id in the form that google.rpc wants reasons in: "string.min_len" is "STRING_MIN_LEN"."""
    return re.sub(r"[^A-Z0-9]+", "_", rule_id.upper())[:63]


def _request_faults(request: Message | None) -> Findings:
    if request is None:
        return Findings([BrokenRule("wire.undecodable", "", "the bytes are no message of this type")])
    return contract.first_broken_rules(request)


def _tolerant(deserialize: Callable[[bytes], Message] | None) -> Callable[[bytes], Message | None]:
    """Turns undecodable bytes into None, so that the call can say INVALID_ARGUMENT instead of an unknown error."""
    if deserialize is None:
        raise TypeError("a method without a request type cannot be checked")

    def tolerant(data: bytes) -> Message | None:
        try:
            return deserialize(data)
        except DecodeError:
            return None

    return tolerant


def _metadata(context: "grpc.aio.ServicerContext[Any, Any]") -> Mapping[str, str]:
    """The headers of ours among the call's metadata, ids bound to the log."""
    metadata: dict[str, str] = {}
    for key, value in context.invocation_metadata() or ():
        if key in _CONTINUED:
            metadata[key] = value if isinstance(value, str) else value.decode("ascii", "replace")
    if metadata:
        bind_ids(metadata)
    return metadata


def _deadline_passed(context: "grpc.aio.ServicerContext[Any, Any]") -> bool:
    remaining = cast("float | None", context.time_remaining())  # None without a deadline, whatever the stubs say
    return remaining is not None and remaining <= 0


def _service(method: str) -> str:
    return method.lstrip("/").rpartition("/")[0]


def _told(broken: Sequence[BrokenRule]) -> list[str]:
    return [f"{rule.field_path or '(message)'} {rule.rule_id}" for rule in broken]
