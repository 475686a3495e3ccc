"""Which event the running code works for: the headers that go on with every call it makes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from structlog.contextvars import bound_contextvars

from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.telemetry import incoming_trace, outgoing_trace

_LOGGED: Final = {EVENT_ID: "event_id", RECEIPT_ID: "receipt_id"}
# Set in a task's own context; a batch that serves several events has none.
_headers: ContextVar[Mapping[str, str]] = ContextVar("tidegate_headers")


@contextmanager
def working_for(headers: Mapping[str, str]) -> Iterator[None]:
    """Go on under an event's ids and trace context: in log lines, spans and outgoing calls."""
    known = {name: headers[name] for name in _LOGGED if headers.get(name)}
    token = _headers.set(known)
    try:
        with incoming_trace(headers), bound_contextvars(**{_LOGGED[name]: value for name, value in known.items()}):
            yield
    finally:
        _headers.reset(token)


def outgoing_headers() -> dict[str, str]:
    """Ids and W3C trace context of the event at hand; empty when there is none."""
    return {**_headers.get({}), **outgoing_trace()}
