"""Reads a request's body up to a limit, and lets one that is too long run dry, so that its sender gets the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Literal

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BodyFault = Literal["too_large", "timed_out", "gone"]

# Closing a connection with unread data resets it, and many clients then never see the answer. So much is read and
# dropped beyond the limit before the answer; whoever sends more may lose it.
DISCARDED_BYTES: Final = 8 * 1_048_576


def is_refused_unread(headers: Mapping[bytes, bytes], limit: int) -> bool:
    """Whether what is announced is too long and need not be read: the sender waits for leave, or sends far too much."""
    announced = headers.get(b"content-length", b"")
    if not announced.isdigit() or int(announced) <= limit:
        return False
    return b"expect" in headers or int(announced) > limit + DISCARDED_BYTES


async def read_body(receive: Receive, limit: int, timeout_seconds: float) -> bytes | BodyFault:
    """The whole body, or why there is none. "gone" when the client hung up before its end."""
    message = await receive()
    if message["type"] != "http.request":
        return "gone"
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body if len(body) <= limit else "too_large"
    try:
        # A client that sends nothing at all holds a connection either way: only the rest of a body has a deadline.
        async with asyncio.timeout(timeout_seconds):
            return await _read_rest(body, receive, limit)
    except TimeoutError:
        return "timed_out"


async def _read_rest(begun: bytes, receive: Receive, limit: int) -> bytes | BodyFault:
    body = bytearray(begun)
    size = len(begun)
    more = True
    while more and size <= limit + DISCARDED_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return "gone"
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size <= limit:
            body += piece
        more = message.get("more_body", False)
    return bytes(body) if size <= limit else "too_large"
