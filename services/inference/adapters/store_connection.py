"""A connection to the online store for one call at a time: commands out, their replies in."""

import asyncio
from typing import Any, Final, Self

import hiredis
from redis.asyncio import Connection
from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import InvalidResponse, RedisError, ResponseError

_CLOSED: Final = "the store has closed the connection"


class StoreConnection(asyncio.Protocol):
    """Opened by redis-py: address, TLS, user and database are its affair. The replies are hiredis' to read.

    What redis-py puts between the two takes as long as the store does to answer.
    """

    def __init__(self, opened: Connection) -> None:
        self._opened = opened
        # It has no public name; a test against the real engine fails where it goes away.
        self._transport: asyncio.Transport = opened._writer.transport  # type: ignore[union-attr,assignment]  # noqa: SLF001
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=ResponseError)
        self._waiting: asyncio.Future[None] | None = None
        self._replies: list[Any] = []
        self._wanted = 0

    @classmethod
    async def over(cls, connection: Connection) -> Self:
        """Connect. RedisError or OSError where that fails."""
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        made = cls(connection)
        made._transport.set_protocol(made)
        return made

    async def ask(self, commands: bytes, count: int) -> list[Any]:
        """As many replies to packed commands; RedisError. Cancelled or failed, it is closed: replies may yet come."""
        if self._transport.is_closing():
            raise NotConnectedError(_CLOSED)
        self._replies, self._wanted = [], count
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(commands)
        try:
            await self._waiting
            return _no_errors(self._replies)
        except BaseException:
            await self.close()
            raise
        finally:
            self._waiting = None

    async def close(self) -> None:
        """Disconnect."""
        await self._opened.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        """Part of a reply, or several."""
        if self._waiting is None:
            self._transport.abort()  # the next call would take what nobody asked for as its own
            return
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._replies.append(reply)
        if len(self._replies) >= self._wanted and not self._waiting.done():
            self._waiting.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        """Whoever waits hears of it."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(NotConnectedError(_CLOSED))


def _no_errors(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return replies
