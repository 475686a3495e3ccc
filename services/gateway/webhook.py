"""Stripe's webhook endpoint as a raw ASGI application: reads, decides, stores, answers, counts.

FastAPI's own handling of a request costs more than all that is done here, so this is a plain ASGI callable.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from traceback import extract_tb
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

from opentelemetry.trace import SpanKind, Tracer

from services.gateway.body import BodyFault, Receive, Room, is_refused_unread, read_body
from services.gateway.drift import DriftCount
from services.gateway.handler import Arrival, Publish, Refuse, StripeEndpoint, handle
from services.gateway.throttle import Throttle
from services.runtime import headers as names
from services.runtime.clock import Clock, Ids
from services.runtime.contract import code_or_size
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.metrics import counter, gauge, histogram
from services.runtime.telemetry import (
    EventName,
    incoming_trace,
    logger,
    outgoing_trace,
    relayed_trace,
)

Headers = list[tuple[bytes, bytes]]
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

# What becomes of a webhook that was received whole, or would have been but for its size. Each gets exactly one.
Outcome = Literal["accepted", "other", "dead", "unverified", "too_large", "unavailable", "disabled"]

_PROVIDER: Final = "stripe"
_JSON: Final = (b"content-type", b"application/json")
_CLOSE: Final = (b"connection", b"close")
_TRACE_HEADERS: Final = (("traceparent", b"traceparent"), ("tracestate", b"tracestate"))
_NO_SPAN: Final = nullcontext()

_log = logger("gateway.webhook")


class Inbox(Protocol):
    """Stores webhooks. A caller must not assume that anything is stored before `store` returns."""

    @property
    def unready(self) -> str | None:
        """What is missing before webhooks can be stored, in words; None when nothing is."""
        ...

    async def store(self, decided: Publish, headers: Mapping[str, str]) -> None:
        """Return once the webhook is stored for good; NeighbourUnavailableError when it may not be."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process takes."""

    max_body_bytes: int
    max_in_flight: int
    # Of bodies that wait for the broker, and as many again of bodies that are still coming in.
    max_in_flight_bytes: int
    retry_after_seconds: int


class Answer(NamedTuple):
    """An HTTP answer and, where the request was a webhook, what became of it."""

    status: int
    body: bytes
    outcome: Outcome | None
    headers: tuple[tuple[bytes, bytes], ...] = ()


_METHOD_NOT_ALLOWED: Final = Answer(405, b'{"error":"webhooks are posted"}', None, ((b"allow", b"POST"),))
_DISABLED: Final = Answer(404, b'{"error":"this endpoint is off: it has no signing secret"}', "disabled")
_TOO_LARGE: Final = Answer(413, b'{"error":"the body is too large"}', "too_large", (_CLOSE,))


class StripeWebhook:
    """Answers `POST /webhooks/stripe`; one instance per process, used on one event loop."""

    def __init__(
        self,
        endpoint: StripeEndpoint | None,
        inbox: Inbox,
        *,
        limits: Limits,
        drift: DriftCount,
        clock: Clock,
        ids: Ids,
        spans: Tracer | None = None,
    ) -> None:
        """Without an endpoint every request is answered 404: an endpoint without a secret must not be open.

        Without `spans` none is made, and the trace context is sent on as it came.
        """
        self._endpoint = endpoint
        self._inbox = inbox
        self._limits = limits
        self._drift = drift
        self._clock = clock
        self._ids = ids
        self._throttle = Throttle(clock)
        self._tracer = spans
        self._logs_accepted = logging.getLogger().isEnabledFor(logging.DEBUG)
        self._retry_after = ((b"retry-after", str(limits.retry_after_seconds).encode()),)
        self._outcomes = {o: counter("tidegate_webhooks_total").labels(_PROVIDER, o) for o in get_args(Outcome)}
        self._duration = histogram("tidegate_webhook_duration_seconds").labels(_PROVIDER)
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._room = Room(limits.max_in_flight_bytes)
        gauge("tidegate_webhooks_in_flight").set_function(lambda: self._in_flight)
        # Set when the process is to stop: every answer then asks the client to close its connection.
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = self._clock.monotonic()
        answer = await self._answer(scope, receive)
        if answer is None:
            return  # the client went away before its request was complete
        if answer.outcome is not None:
            self._outcomes[answer.outcome].inc()
            self._duration.observe(self._clock.monotonic() - began)
        headers: Headers = [_JSON, (b"content-length", b"%d" % len(answer.body)), *answer.headers]
        if self.draining:
            headers.append(_CLOSE)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | None:
        if scope["method"] != "POST":
            return _METHOD_NOT_ALLOWED
        if self._endpoint is None:
            return _DISABLED
        headers: dict[bytes, bytes] = dict(scope["headers"])
        limits = self._limits
        if is_refused_unread(headers, limits.max_body_bytes):
            return self._too_large()
        body = await read_body(receive, limits.max_body_bytes, self._room)
        if not isinstance(body, bytes):
            return self._without_body(body)
        receipt_id = self._ids.new()
        arrival = Arrival(body, headers.get(b"stripe-signature"), receipt_id, self._clock.now())
        try:
            with self._span(headers, receipt_id):
                decided = handle(arrival, self._endpoint)
                if isinstance(decided, Refuse):
                    return self._unverified(arrival, decided)
                return await self._store(arrival, decided, self._trace(headers, receipt_id))
        except Exception as error:  # noqa: BLE001 - a defect of ours: the provider shall try again after its repair
            _log.error("webhook.failed", receipt_id=receipt_id, error=type(error).__name__, at=_origin(error))
            return self._unavailable("the webhook could not be processed")

    def _without_body(self, fault: BodyFault) -> Answer | None:
        match fault:
            case "too_large":
                return self._too_large()
            case "no_room":
                self._warn("webhook.unavailable", reason="too many bodies are coming in")
                return self._unavailable("too many webhooks are coming in")
            case "gone":
                return None

    def _too_large(self) -> Answer:
        self._warn("webhook.too_large", limit_bytes=self._limits.max_body_bytes)
        return _TOO_LARGE

    def _unverified(self, arrival: Arrival, refused: Refuse) -> Answer:
        size = len(arrival.body)
        self._warn("webhook.unverified", receipt_id=arrival.receipt_id, reason=refused.reason, body_bytes=size)
        return _with_receipt(401, arrival.receipt_id, "unverified", error="the signature does not verify")

    def _span(self, headers: Mapping[bytes, bytes], receipt_id: str) -> AbstractContextManager[object]:
        return _NO_SPAN if self._tracer is None else _server_span(self._tracer, _incoming(headers), receipt_id)

    def _trace(self, headers: Mapping[bytes, bytes], receipt_id: str) -> Mapping[str, str]:
        return relayed_trace(_incoming(headers), receipt_id) if self._tracer is None else outgoing_trace()

    async def _store(self, arrival: Arrival, decided: Publish, trace: Mapping[str, str]) -> Answer:
        size = len(arrival.body)
        if self._is_full(size):
            self._warn(
                "webhook.unavailable", receipt_id=arrival.receipt_id, reason="too many webhooks wait for the broker"
            )
            return self._unavailable("too many webhooks wait to be stored")
        self._in_flight += 1
        self._in_flight_bytes += size
        try:
            await self._inbox.store(
                decided, {names.RECEIPT_ID: arrival.receipt_id, names.EVENT_ID: decided.event_id, **trace}
            )
        except NeighbourUnavailableError as error:
            self._warn(
                "webhook.unavailable", receipt_id=arrival.receipt_id, event_id=decided.event_id, reason=str(error)
            )
            return self._unavailable("the webhook could not be stored")
        finally:
            self._in_flight -= 1
            self._in_flight_bytes -= size
        self._tell(arrival, decided)
        return _with_receipt(202, arrival.receipt_id, decided.outcome)

    def _is_full(self, size: int) -> bool:
        limits = self._limits
        return self._in_flight >= limits.max_in_flight or self._in_flight_bytes + size > limits.max_in_flight_bytes

    def _tell(self, arrival: Arrival, decided: Publish) -> None:
        self._drift.add(decided.event_type, decided.api_version, decided.drift)
        if decided.outcome == "dead":
            counter("tidegate_dead_letters_total").labels("gateway", decided.rule_ids[0]).inc()
            self._warn(
                "webhook.dead",
                receipt_id=arrival.receipt_id,
                event_id=decided.event_id,
                event_type=code_or_size(decided.event_type),
                rule_ids=list(decided.rule_ids),
            )
        elif self._logs_accepted:
            _log.debug(
                "webhook.accepted",
                receipt_id=arrival.receipt_id,
                event_id=decided.event_id,
                event_type=code_or_size(decided.event_type),
                topic=decided.topic,
            )

    def _unavailable(self, why: str) -> Answer:
        return Answer(503, b'{"error":"%s; send it again"}' % why.encode(), "unavailable", self._retry_after)

    def _warn(self, event: EventName, **values: object) -> None:
        untold = self._throttle.admit(event)
        if untold is not None:
            _log.warning(event, **values, **({"untold_before": untold} if untold else {}))


@contextmanager
def _server_span(tracing: Tracer, incoming: Mapping[str, str], receipt_id: str) -> Iterator[None]:
    attributes = {"tidegate.receipt_id": receipt_id}
    with (
        incoming_trace(incoming),
        tracing.start_as_current_span("POST /webhooks/stripe", kind=SpanKind.SERVER, attributes=attributes),
    ):
        yield


def _incoming(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The trace context alone: whatever else a stranger sends along, such as baggage, ends here."""
    return {name: headers[key].decode("latin-1") for name, key in _TRACE_HEADERS if key in headers}


def _with_receipt(status: int, receipt_id: str, outcome: Outcome, error: str = "") -> Answer:
    told = f'"error":"{error}",' if error else ""
    return Answer(status, f'{{{told}"receipt_id":"{receipt_id}"}}'.encode(), outcome)


def _origin(error: Exception) -> str:
    """Where an error was raised; its text is left out, since it may hold what was in the body."""
    frames = extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "unknown"
