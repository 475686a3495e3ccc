"""Reads a request's body up to a limit, and lets one that is too long run dry, so that its sender gets the answer.

How long a body may take is bounded where its connection is: services/gateway/deadlines.py.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Literal

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BodyFault = Literal["too_large", "no_room", "gone"]

# Closing a connection with unread data resets it, and many clients then never see the answer. So much is read and
# dropped beyond the limit before the answer; whoever sends more may lose it.
DISCARDED_BYTES: Final = 8 * 1_048_576
# Of a length; the parser takes any number of leading zeros, and int() 4,300 digits.
_MOST_DIGITS: Final = 18


class Room:
    """Bytes that unfinished bodies may take together. Nobody knows yet who sends them."""

    def __init__(self, most_bytes: int) -> None:
        self._free = most_bytes

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes more; if so, they are taken."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def give_back(self, size: int) -> None:
        """Free what was taken."""
        self._free += size


def is_refused_unread(headers: Mapping[bytes, bytes], limit: int) -> bool:
    """Whether what is announced is too long and need not be read: the sender waits for leave, or sends far too much."""
    announced = headers.get(b"content-length", b"")
    if not announced.isdigit() or len(announced) > _MOST_DIGITS or int(announced) <= limit:
        return False
    return b"expect" in headers or int(announced) > limit + DISCARDED_BYTES


async def read_body(receive: Receive, limit: int, room: Room) -> bytes | BodyFault:
    """The whole body, or why there is none: "gone" when the client hung up before its end.

    A body that is there at once needs no room, so that small ones pass while others fill it.
    """
    message = await receive()
    if message["type"] != "http.request":
        return "gone"
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body if len(body) <= limit else "too_large"
    return await _read_rest(body, receive, limit, room)


async def _read_rest(begun: bytes, receive: Receive, limit: int, room: Room) -> bytes | BodyFault:
    pieces = _Pieces(limit, room)
    try:
        pieces.add(begun)
        more = True
        while more and pieces.size <= limit + DISCARDED_BYTES:
            message = await receive()
            if message["type"] != "http.request":
                return "gone"
            pieces.add(message.get("body", b""))
            more = message.get("more_body", False)
        return pieces.fault or bytes(pieces.kept)
    finally:
        pieces.drop()


class _Pieces:
    """A body as far as it has come, or nothing but its size once there is something wrong with it."""

    def __init__(self, limit: int, room: Room) -> None:
        self._limit = limit
        self._room = room
        self.kept = bytearray()
        self.size = 0
        self.fault: BodyFault | None = None

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.fault is None:
            self.fault = self._fault(len(piece))
            if self.fault is None:
                self.kept += piece
            else:
                self.drop()

    def drop(self) -> None:
        self._room.give_back(len(self.kept))
        self.kept = bytearray()

    def _fault(self, more: int) -> BodyFault | None:
        if self.size > self._limit:
            return "too_large"
        return None if self._room.take(more) else "no_room"
