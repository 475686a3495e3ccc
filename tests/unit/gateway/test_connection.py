"""What a client may send is bounded; an answer leaves whole, in order, and in as few writes as its size allows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from services.gateway.connection import Connection, ConnectionLimits, GatheringTransport
from services.gateway.deadlines import Deadlines
from services.runtime.clock import FrozenClock
from tests.unit.gateway.events import NOW

_LIMITS = ConnectionLimits(most_connections=3, head_timeout_seconds=10, body_timeout_seconds=15, retry_after_seconds=20)
_REQUEST = b"POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\n%s\r\n{}"


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed_after: int | None = None
        self.is_aborted = False

    @property
    def received(self) -> bytes:
        return b"".join(self.written)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.closed_after is None, "written after it was closed"
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed_after = len(self.written)

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.closed_after is not None

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


def gathering() -> tuple[Wire, GatheringTransport]:
    wire = Wire()
    return wire, GatheringTransport(wire, asyncio.get_running_loop())


class Server:
    """What uvicorn makes of connections, over an application that reads a body and answers 202."""

    def __init__(self, pieces: tuple[bytes, ...] = (b"ok",)) -> None:
        self.state = ServerState()
        self.clock = FrozenClock(NOW)
        self.deadlines = Deadlines(_LIMITS, self.clock)
        # What the application was given to read, over all requests.
        self.read = 0
        # Clear it and no request is answered.
        self.answers = asyncio.Event()
        self.answers.set()
        self._pieces = pieces
        self._opened: list[Connection] = []
        self._config = uvicorn.Config(
            cast("Any", self._application), interface="asgi3", lifespan="off", ws="none", log_config=None
        )

    def connect(self) -> tuple[Connection, Wire]:
        wire = Wire()
        connection = Connection(self._config, self.state, {}, asyncio.get_running_loop(), limits=_LIMITS)
        connection.connection_made(wire)
        self._opened.append(connection)
        return connection, wire

    async def settle(self) -> None:
        """Let everything happen that needs nothing more from a client."""
        for _ in range(50):
            await asyncio.sleep(0)

    def pass_time(self, seconds: float) -> None:
        """Look at the connections now and after that time."""
        self._look()
        self.clock.advance(timedelta(seconds=seconds))
        self._look()

    async def close(self) -> None:
        for connection in self._opened:
            connection.connection_lost(ConnectionResetError())
            if connection.timeout_keep_alive_task is not None:
                connection.timeout_keep_alive_task.cancel()
        self.answers.set()
        await asyncio.gather(*self.state.tasks)

    def _look(self) -> None:
        self.deadlines.enforce(cast("list[Connection]", list(self.state.connections)))

    async def _application(self, _: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            self.read += len(message["body"])
            more = message["more_body"]
        await self.answers.wait()
        length = b"%d" % sum(map(len, self._pieces))
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", length)]})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving(pieces: tuple[bytes, ...] = (b"ok",)) -> AsyncIterator[Server]:
    server = Server(pieces)
    try:
        yield server
    finally:
        await server.close()


async def answer(*requests: bytes, pieces: tuple[bytes, ...] = (b"ok",)) -> Wire:
    """What a client gets that sends these requests at once to an application that answers in these pieces."""
    async with serving(pieces) as server:
        connection, wire = server.connect()
        connection.data_received(b"".join(requests))
        await server.settle()
    return wire


async def test_what_is_written_within_one_step_leaves_in_one_write() -> None:
    wire, transport = gathering()
    transport.write(b"head ")
    transport.write(b"body")
    assert wire.written == []
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.written == [b"head body", b"next"]


async def test_what_has_become_large_leaves_at_once_and_in_order() -> None:
    wire, transport = gathering()
    transport.write(b"head ")
    transport.write(b"b" * 20_000)
    assert wire.written == [b"head " + b"b" * 20_000]
    transport.write(b"tail")
    await asyncio.sleep(0)
    assert wire.written[1:] == [b"tail"]


async def test_closing_writes_what_waits_first() -> None:
    wire, transport = gathering()
    transport.write(b"answer")
    transport.close()
    await asyncio.sleep(0)
    assert (wire.written, wire.closed_after) == ([b"answer"], 1)


async def test_an_answer_leaves_with_its_head_and_body_together() -> None:
    wire = await answer(_REQUEST % b"")
    assert len(wire.written) == 1
    head, _, body = wire.written[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 202 ")
    assert body == b"ok"


async def test_an_answer_leaves_before_its_connection_closes() -> None:
    wire = await answer(_REQUEST % b"connection: close\r\n")
    assert wire.closed_after == 1
    assert wire.written[0].endswith(b"ok")


async def test_requests_sent_at_once_are_answered_in_full_and_in_turn() -> None:
    wire = await answer(_REQUEST % b"", _REQUEST % b"", _REQUEST % b"")
    received = b"".join(wire.written)
    assert received.count(b"HTTP/1.1 202 ") == 3
    assert received.endswith(b"\r\n\r\nok")


async def test_a_long_answer_arrives_as_it_was_written() -> None:
    pieces = tuple(bytes([65 + number]) * 5_000 for number in range(20))
    wire = await answer(_REQUEST % b"", pieces=pieces)
    assert b"".join(wire.written).partition(b"\r\n\r\n")[2] == b"".join(pieces)
    assert len(wire.written) > 1


_BEGUN = b"POST / HTTP/1.1\r\nhost: gateway\r\n"


@pytest.mark.parametrize(
    "head",
    [
        _BEGUN + b"x: " + b"a" * 100_000,
        _BEGUN + b"x: " + b"a" * 100_000 + b"\r\ncontent-length: 2\r\n\r\n{}",
        _BEGUN + b"x: a\r\n" * 300,
        _BEGUN + b"x: a\r\n" * 300 + b"content-length: 2\r\n\r\n{}",
        _BEGUN + (b"x: " + b"a" * 1_000 + b"\r\n") * 100,
        b"POST /" + b"a" * 100_000,
        b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}",
    ],
    ids=["one unfinished", "one", "many unfinished", "many", "large unfinished", "address unfinished", "address"],
)
@pytest.mark.parametrize("chunk", [1_000, 256_000])
async def test_a_head_that_is_too_large_is_refused_before_it_is_whole(head: bytes, chunk: int) -> None:
    async with serving() as server:
        connection, wire = server.connect()
        for start in range(0, len(head), chunk):
            if not wire.is_closing():
                connection.data_received(head[start : start + chunk])
        await server.settle()
        assert wire.is_closing()
        assert (wire.received.startswith(b"HTTP/1.1 431 "), server.state.total_requests) == (True, 0)


async def test_a_head_of_nearly_the_most_is_taken_whatever_body_came_before() -> None:
    large = b"POST / HTTP/1.1\r\ncontent-length: 200000\r\n\r\n" + b"a" * 200_000
    head = _BEGUN + b"x: " + b"a" * 60_000 + b"\r\ncontent-length: 2\r\n\r\n{}"
    wire = await answer(large, head)
    assert wire.received.count(b"HTTP/1.1 202 ") == 2


@pytest.mark.parametrize("extra", [b"0\r\nx: " + b"a" * 100_000, b"1;" + b"a" * 100_000])
async def test_what_is_no_body_is_bounded_in_a_body_too(extra: bytes) -> None:
    async with serving() as server:
        connection, wire = server.connect()
        connection.data_received(_BEGUN + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n" + extra)
        await server.settle()
        assert wire.is_closing()
        assert wire.received.startswith(b"HTTP/1.1 431 ")


async def test_more_connections_than_may_be_open_are_sent_away_and_the_others_go_on() -> None:
    async with serving() as server:
        opened = [server.connect() for _ in range(4)]
        await server.settle()
        assert [wire.is_closing() for _, wire in opened] == [False, False, False, True]
        assert opened[3][1].received.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 20\r\n" in opened[3][1].received
        opened[3][0].connection_lost(None)
        opened[0][0].data_received(_REQUEST % b"")
        await server.settle()
        assert opened[0][1].received.startswith(b"HTTP/1.1 202 ")
        opened[0][0].connection_lost(None)
        assert not server.connect()[1].is_closing()


async def test_a_thousand_requests_at_once_are_not_queued() -> None:
    async with serving() as server:
        server.answers.clear()
        connection, wire = server.connect()
        connection.data_received(_REQUEST % b"" * 1_000)
        assert wire.is_closing()
        assert len(connection.pipeline) < 500
        assert wire.received == b"", "there is no answer that would not be taken for the first request's"


@pytest.mark.parametrize("begun", [b"", b"POST / HT", _BEGUN])
async def test_a_head_that_does_not_come_in_time_is_not_waited_for(begun: bytes) -> None:
    async with serving() as server:
        connection, wire = server.connect()
        if begun:
            connection.data_received(begun)
        server.pass_time(9)
        assert not wire.is_closing()
        server.pass_time(1)
        assert wire.is_closing()
        assert wire.received.startswith(b"HTTP/1.1 408 ")


async def test_the_second_head_on_a_connection_has_its_own_deadline() -> None:
    async with serving() as server:
        connection, wire = server.connect()
        server.pass_time(9)
        connection.data_received(_REQUEST % b"")
        await server.settle()
        server.pass_time(9)
        connection.data_received(_BEGUN)
        server.pass_time(9)
        assert not wire.is_closing()
        server.pass_time(1)
        assert wire.is_closing()


@pytest.mark.parametrize("body", [b"", b"a", b"a" * 100_000])
async def test_a_body_that_does_not_come_in_time_is_not_waited_for(body: bytes) -> None:
    async with serving() as server:
        connection, wire = server.connect()
        connection.data_received(_BEGUN + b"content-length: 1000000\r\n\r\n" + body)
        await server.settle()
        server.pass_time(14)
        connection.data_received(b"b")  # a little now and then buys no time
        await server.settle()
        assert not wire.is_closing()
        server.pass_time(1)
        await server.settle()
        assert wire.is_closing()
        assert wire.received.startswith(b"HTTP/1.1 408 ")
        assert not server.state.tasks, "the application was told that the client is gone"


async def test_a_request_that_is_whole_is_waited_for_however_long_its_answer_takes() -> None:
    async with serving() as server:
        server.answers.clear()
        connection, wire = server.connect()
        connection.data_received(_REQUEST % b"")
        await server.settle()
        for _ in range(10):
            server.pass_time(10)
        server.answers.set()
        await server.settle()
        assert wire.received.startswith(b"HTTP/1.1 202 ")


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async with serving() as server:
        connection, wire = server.connect()
        connection.pause_writing()
        server.pass_time(29)
        assert not wire.is_aborted
        server.pass_time(1)
        assert wire.is_aborted
