"""A small HTTP/1.1 client for posting many small bodies.

httpx costs about 1 ms of CPU for each request, more than the gateway that is to be measured; this one costs about 0.05.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Self
from urllib.parse import SplitResult, urlsplit

import httptools

# Servers close idle connections after seconds of their own choosing (uvicorn: 5); an older one is not used again.
_IDLE_SECONDS = 2.0
_PORTS = {"http": 80, "https": 443}


class NoAnswerError(Exception):
    """No HTTP answer came: refused, reset, or too late."""


async def _connect(protocol: asyncio.Protocol, url: SplitResult) -> None:
    secure = ssl.create_default_context() if url.scheme == "https" else None
    port = url.port or _PORTS[url.scheme]
    await asyncio.get_running_loop().create_connection(lambda: protocol, str(url.hostname), port, ssl=secure)


Connect = Callable[[asyncio.Protocol, SplitResult], Awaitable[None]]
"""Connects a protocol to a URL's host; OSError where that cannot be done."""


class HttpPoster:
    """Posts bodies to one URL over as many kept-alive connections as are needed at once."""

    def __init__(self, url: str, timeout_seconds: float, connect: Connect = _connect) -> None:
        self._url = _checked(url)
        self._open = connect
        self._timeout = timeout_seconds
        self._idle: deque[tuple[float, _Connection]] = deque()
        self._head = self._request_head()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; NoAnswerError when none came."""
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = self._head + f"{extra}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(self._timeout):
                connection = self._take_idle() or await self._connect()
                status = await connection.exchange(request)
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            if connection is not None:
                connection.close()
            raise NoAnswerError(_reason(error)) from error
        self._keep(connection)
        return status

    async def __aenter__(self) -> Self:
        """Connections are opened when first needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.popleft()[1].close()

    def _request_head(self) -> bytes:
        path = self._url.path or "/"
        query = f"?{self._url.query}" if self._url.query else ""
        lines = (
            f"POST {path}{query} HTTP/1.1",
            f"host: {self._url.netloc.rpartition('@')[2]}",
            "content-type: application/json; charset=utf-8",
            "user-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        )
        return "".join(f"{line}\r\n" for line in lines).encode("latin-1")

    def _take_idle(self) -> "_Connection | None":
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, connection = self._idle.pop()
            if connection.is_open and now - since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self) -> "_Connection":
        connection = _Connection()
        await self._open(connection, self._url)
        return connection

    def _keep(self, connection: "_Connection") -> None:
        if connection.is_open:
            self._idle.append((asyncio.get_running_loop().time(), connection))


class _Connection(asyncio.Protocol):
    """One connection with at most one request on its way; also the callbacks of the parser."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None
        self.is_open = False

    async def exchange(self, request: bytes) -> int:
        """Send a request and wait for the whole answer; OSError when the connection is lost before."""
        if self._transport is None or not self.is_open:
            raise ConnectionResetError("closed by the server")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close; what is on its way is given up."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: connected."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is expected")
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes have come."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionResetError(f"no HTTP answer: {error}"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the connection is gone."""
        self.is_open = False
        self._fail(ConnectionResetError("closed before the answer") if exc is None else exc)

    def on_message_complete(self) -> None:
        """Parser: the answer is whole."""
        status, keep = self._parser.get_status_code(), self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        if not keep:
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _checked(url: str) -> SplitResult:
    split = urlsplit(url)
    if split.scheme not in _PORTS or not split.hostname:
        raise ValueError(f"{url!r} is no http or https URL")
    return split


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return "refused" if isinstance(error, ConnectionRefusedError) else "reset"
