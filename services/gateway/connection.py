"""One HTTP connection: uvicorn's, with bounds to what a client may send, and answers that leave in one write.

What a client may send: uvicorn takes a head of any length, any number of requests at once, and as many connections as
come. Here all of it is bounded before a request reaches the application; services/gateway/deadlines.py bounds the time.

How answers leave: uvicorn hands head and body over one by one, and uvloop makes a system call of each at once: twice
the cost, and the client is woken for a head without a body.
"""

import asyncio
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Literal, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from services.runtime.metrics import counter

# With so many bytes a write is worth its system call, and a stream's writer must feel the pace of the other side.
_MOST_GATHERED_BYTES: Final = 16_384

# uvloop reads up to 256 KB at a time. What many small headers or requests become takes 10 to 100 times their size, so
# they are parsed in slices, and looked at in between.
_SLICE_BYTES: Final = 16_384
# Of a head, and of whatever else is no body: a trailer, a chunk's extension. Stripe's heads have some 600 bytes.
_MOST_HEAD_BYTES: Final = 65_536
_MOST_HEADERS: Final = 256
# Requests that a client may send before it has the answer to the first.
_MOST_PIPELINED: Final = 16

Refusal = Literal["too_many_connections", "head_too_large", "head_too_late", "body_too_late", "too_many_pipelined"]

# That the client sends the rest of a head or a body, or reads what it was sent.
Awaited = Literal["head", "body", "reading"]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What clients may hold, who are nobody yet."""

    most_connections: int
    head_timeout_seconds: float
    body_timeout_seconds: float
    retry_after_seconds: int


ANSWERS: Final[dict[Refusal, tuple[int, bytes]]] = {
    "too_many_connections": (503, b"too many connections are open; send it again"),
    "head_too_large": (431, b"the request's head is too large"),
    "head_too_late": (408, b"the request's head did not come in time"),
    "body_too_late": (408, b"the body did not come in time"),
    "too_many_pipelined": (503, b"too many requests were sent before the first was answered"),
}


class Connection(HttpToolsProtocol):
    """uvicorn's protocol within bounds, given a transport that gathers what is written in one step of the loop."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = limits
        # Bytes since the last that were of use: a whole head, or some of a body.
        self._undigested = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve a client."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.transport = cast("asyncio.Transport", GatheringTransport(self.transport, self.loop))
        if len(self.connections) > self.limits.most_connections:
            self.refuse("too_many_connections")

    def data_received(self, data: bytes) -> None:
        """Parse what came in, no further than the bounds."""
        if len(data) <= _SLICE_BYTES:
            self._digest(data)
            return
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                return
            self._digest(data[start : start + _SLICE_BYTES])

    def on_headers_complete(self) -> None:
        """Start to answer a request whose head has come in."""
        self._undigested = 0
        size = len(self.url) + sum(map(len, chain.from_iterable(self.headers)))
        if size > _MOST_HEAD_BYTES or self._has_too_many_headers():
            self.refuse("head_too_large")
            raise ValueError("the head is too large")  # ends the parser's work
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._undigested = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take note that a request is complete."""
        self._undigested = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, unless it was refused already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def refuse(self, why: Refusal) -> None:
        """Close the connection, with an answer where the client can tell which request it belongs to."""
        if self.transport.is_closing():
            return
        counter("tidegate_connections_refused_total").labels(why).inc()
        if self._is_answerable():
            self.transport.write(_refusal(*ANSWERS[why], self.limits.retry_after_seconds))
        cycle = self._latest
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    @property
    def awaits(self) -> Awaited | None:
        """What this connection waits for from its client; None while it is our turn or the client may be idle."""
        cycle = self._latest
        if self.flow.write_paused or self.transport.is_closing():
            return "reading"
        if cycle is None or cycle.response_complete:
            idle = self.timeout_keep_alive_task
            return "head" if idle is None or idle.cancelled() else None
        return "body" if cycle.more_body and not self.pipeline else None

    @property
    def _latest(self) -> RequestResponseCycle | None:
        """The last request whose head has come in; uvicorn types it as if there always were one."""
        return cast("RequestResponseCycle | None", self.cycle)

    def _digest(self, data: bytes) -> None:
        self._undigested += len(data)
        super().data_received(data)
        if self._undigested > _MOST_HEAD_BYTES or (self._undigested and self._has_too_many_headers()):
            self.refuse("head_too_large")
        elif len(self.pipeline) > _MOST_PIPELINED:
            self.refuse("too_many_pipelined")

    def _has_too_many_headers(self) -> bool:
        headers = cast("list[object] | None", self.headers)
        return headers is not None and len(headers) > _MOST_HEADERS

    def _is_answerable(self) -> bool:
        cycle = self._latest
        if cycle is None or cycle.response_complete:
            return True
        # A request that is complete waits for an answer of its own.
        return cycle.more_body and not cycle.response_started and not self.pipeline


def _refusal(status: int, told: bytes, retry_after_seconds: int) -> bytes:
    body = b'{"error":"%b"}' % told
    retry = b"retry-after: %d\r\n" % retry_after_seconds if status == 503 else b""  # noqa: PLR2004 - HTTP's own
    head = b"content-type: application/json\r\ncontent-length: %d\r\n%bconnection: close\r\n\r\n" % (len(body), retry)
    return STATUS_LINE[status] + head + body


class GatheringTransport:
    """What uvicorn uses of a transport. What is written within one step of the loop leaves at its end, in one write."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Write by the end of this step; at once what has become large."""
        if not self._gathered:
            self._loop.call_soon(self._flush)
        self._gathered.append(data)
        self._size += len(data)
        if self._size > _MOST_GATHERED_BYTES:
            self._flush()

    def close(self) -> None:
        """Close once everything is written."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._gathered:
            data = b"".join(self._gathered)
            self._gathered.clear()
            self._size = 0
            self._transport.write(data)
