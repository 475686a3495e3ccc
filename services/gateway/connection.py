"""One HTTP connection: uvicorn's, which writes an answer's head and its body to the socket together.

uvicorn hands them over one by one, and uvloop makes a system call of each at once: twice the cost, and the client is
woken for a head without a body.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# With so many bytes a write is worth its system call, and a stream's writer must feel the pace of the other side.
_MOST_GATHERED_BYTES: Final = 16_384


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, given a transport that gathers what is written within one step of the event loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve a client."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.transport = cast("asyncio.Transport", GatheringTransport(self.transport, self.loop))


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
