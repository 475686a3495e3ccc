"""Logs and traces: structlog JSON under a closed list of events, W3C trace context across every hop."""

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, Protocol, cast

import structlog
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

EventName = Literal[
    # every process
    "process.waiting",
    "process.started",
    "process.stopping",
    "process.stopped",
    "process.failed",
    "probe.failed",
    "probe.recovered",
    # gateway
    "webhook.accepted",
    "webhook.dead",
    "webhook.unverified",
    "webhook.too_large",
    "webhook.unavailable",
    "webhook.failed",
    "endpoint.disabled",
    # consumers
    "batch.committed",
    "batch.aborted",
    "message.dead",
    "message.poison",
    "message.defect",
    "message.unknown_code",
    "flood.stopped",
    "flood.resumed",
    "partitions.assigned",
    "partitions.revoked",
    "broker.unavailable",
    # features
    "store.unavailable",
    "store.recovered",
    "store.moved",
    "stream.gap",
    "features.rebuilding",
    "features.rebuilt",
    # orchestrator
    "workflow.started",
    "workflow.failed",
    "workflow.passed_over",
    "workflow.completed",
    "step.failed",
    "step.degraded",
    "persist.batch",
    "persist.failed",
    "outbox.published",
    "outbox.failed",
    "temporal.unavailable",
    "database.unavailable",
    # inference
    "rpc.invalid",
    "rpc.failed",
    "model.fallback",
    "model.serving",
    "model.withdrawn",
    "model.refused",
    "model.failed",
    "models.unavailable",
    "models.recovered",
    "predictions.dropped",
    "predictions.not_logged",
    "predictions.logged_again",
]


class Logger(Protocol):
    """A structlog logger whose event names are checked by the type checker. Values must be operational data only."""

    def debug(self, event: EventName, **values: object) -> None:
        """Of interest while looking for a fault."""
        ...

    def info(self, event: EventName, **values: object) -> None:
        """Went as planned."""
        ...

    def warning(self, event: EventName, **values: object) -> None:
        """Went wrong and was handled."""
        ...

    def error(self, event: EventName, **values: object) -> None:
        """Went wrong; somebody should look."""
        ...

    def exception(self, event: EventName, **values: object) -> None:
        """The same with the traceback of the exception in flight."""
        ...

    def bind(self, **values: object) -> "Logger":
        """The same logger with values on every line."""
        ...


def configure_logging(service: str, instance: str, level: str) -> None:
    """Write one JSON object a line to standard output, from structlog and from libraries alike."""
    shared: list[Callable[..., Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Libraries that log a line per request say nothing that our own lines do not.
    for noisy in ("httpx", "httpx2", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def logger(name: str) -> Logger:
    """The logger of one module."""
    return cast("Logger", structlog.stdlib.get_logger(component=name))


def configure_tracing(service: str, instance: str, *, enabled: bool) -> None:
    """Export spans over OTLP where an endpoint is configured; else spans cost nothing and context still travels."""
    if not enabled:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.instance.id": instance}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def tracer(name: str) -> trace.Tracer:
    """Makes spans; without an exporter they are no-ops."""
    return trace.get_tracer(name)


# What W3C Trace Context (section 3.3.1.5) obliges a hop to pass on. A longer one is dropped whole: it is a stranger's,
# it would travel with every message that follows, and a part of it is no trace state.
_LONGEST_TRACE_STATE = 512


def outgoing_trace() -> dict[str, str]:
    """The current W3C trace context as headers (`traceparent`, `tracestate`); empty when there is none."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    if len(carrier.get("tracestate", "")) > _LONGEST_TRACE_STATE:
        del carrier["tracestate"]
    return carrier


@contextmanager
def incoming_trace(headers: Mapping[str, str]) -> Iterator[None]:
    """Go on under the trace context of a message's or request's headers."""
    token = otel_context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        otel_context.detach(token)


_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def relayed_trace(headers: Mapping[str, str], trace_id: str) -> dict[str, str]:
    """Trace headers to send on from a process that makes no spans: the incoming ones, else a trace that begins here.

    So logs and later hops can be joined where nothing is exported. `trace_id` is 32 hexadecimal digits, used where the
    incoming headers have no valid `traceparent`; its second half names the span. A `tracestate` of more than 512
    characters is left out.
    """
    incoming = headers.get("traceparent", "")
    if not _TRACEPARENT.fullmatch(incoming):
        # Sampled: whether a later hop records it is that hop's choice.
        return {"traceparent": f"00-{trace_id}-{trace_id[16:]}-01"}
    state = headers.get("tracestate")
    if not state or len(state) > _LONGEST_TRACE_STATE:
        return {"traceparent": incoming}
    return {"traceparent": incoming, "tracestate": state}


def is_tracing() -> bool:
    """Whether spans go anywhere, so that making them is worth its cost."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)
