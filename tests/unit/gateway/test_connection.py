"""How an answer leaves: whole, in order, and in as few writes as its size allows."""

import asyncio
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from services.gateway.connection import Connection, GatheringTransport

_REQUEST = b"POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\n%s\r\n{}"


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed_after: int | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.closed_after is None, "written after it was closed"
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed_after = len(self.written)

    def is_closing(self) -> bool:
        return self.closed_after is not None

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


def gathering() -> tuple[Wire, GatheringTransport]:
    wire = Wire()
    return wire, GatheringTransport(wire, asyncio.get_running_loop())


async def answer(*requests: bytes, pieces: tuple[bytes, ...] = (b"ok",)) -> Wire:
    """What a client gets that sends these requests at once to an application that answers in these pieces."""

    async def application(_: Any, receive: Any, send: Any) -> None:
        await receive()
        length = b"%d" % sum(map(len, pieces))
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", length)]})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(cast("Any", application), lifespan="off", ws="none", log_config=None)
    state = ServerState()
    wire = Wire()
    connection = Connection(config, state, {}, asyncio.get_running_loop())
    connection.connection_made(wire)
    connection.data_received(b"".join(requests))
    while state.tasks:
        await asyncio.gather(*state.tasks)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    connection.connection_lost(ConnectionResetError())
    if connection.timeout_keep_alive_task is not None:
        connection.timeout_keep_alive_task.cancel()
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
