import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from redis.asyncio import Connection
from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import ResponseError

from services.inference.adapters.store_connection import StoreConnection


class Line:
    """What redis-py has opened: the transport, and itself as far as closing it goes."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_open = True
        self._writer = SimpleNamespace(transport=self)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Nothing arrives by itself."""

    async def connect(self) -> None:
        """It is."""

    async def disconnect(self, *, nowait: bool) -> None:
        """Close."""
        assert nowait
        self.is_open = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def is_closing(self) -> bool:
        return not self.is_open

    def abort(self) -> None:
        self.is_open = False


async def connected(line: Line) -> StoreConnection:
    return await StoreConnection.over(cast("Connection", line))


async def asked(connection: StoreConnection, count: int) -> "asyncio.Task[list[object]]":
    """A call that waits for its replies."""
    asking = asyncio.create_task(connection.ask(b"commands", count))
    await asyncio.sleep(0)
    return asking


async def test_replies_are_given_when_all_are_there_however_their_bytes_arrive() -> None:
    line = Line()
    connection = await connected(line)
    asking = await asked(connection, 2)
    assert line.sent == [b"commands"]
    for part in (b":0\r", b"\n*2\r\n$3\r\na", b"bc\r\n"):
        connection.data_received(part)
        await asyncio.sleep(0)
        assert not asking.done()
    connection.data_received(b"$-1\r\n")
    assert await asking == [0, [b"abc", None]]
    assert line.is_open


async def test_each_call_has_its_own_replies() -> None:
    connection = await connected(Line())
    for number in (1, 2):
        asking = await asked(connection, 1)
        connection.data_received(b":%d\r\n" % number)
        assert await asking == [number]


async def test_an_error_among_the_replies_is_raised() -> None:
    connection = await connected(Line())
    asking = await asked(connection, 2)
    connection.data_received(b":0\r\n-WRONGTYPE no hash\r\n")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await asking


async def test_a_call_that_is_given_up_leaves_no_connection_with_replies_to_come() -> None:
    line = Line()
    connection = await connected(line)
    asking = await asked(connection, 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not line.is_open
    with pytest.raises(NotConnectedError):
        await connection.ask(b"commands", 1)


async def test_bytes_that_nobody_asked_for_are_nobodys_answer() -> None:
    line = Line()
    connection = await connected(line)
    connection.data_received(b":1\r\n")
    assert not line.is_open


async def test_whoever_waits_hears_that_the_store_has_gone() -> None:
    connection = await connected(Line())
    asking = await asked(connection, 1)
    connection.connection_lost(None)
    with pytest.raises(NotConnectedError):
        await asking
