"""The HTTP client: what it writes, how it reads answers, and that a connection is used again only when it may be."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult

import pytest

from services.simulator.client import HttpPoster, NoAnswerError

URL = "http://gateway.test:8080/webhooks/stripe"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}"


class Wire(asyncio.Transport):
    """An in-memory connection: hands every request to `answer` and feeds its bytes back."""

    def __init__(self, protocol: asyncio.Protocol, answer: Callable[[bytes], list[bytes] | None]) -> None:
        super().__init__()
        self.requests: list[bytes] = []
        self.closed = False
        self._protocol = protocol
        self._answer = answer
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        self.requests.append(bytes(data))
        chunks = self._answer(bytes(data))
        if chunks is None:
            self.abort()
            return
        for chunk in chunks:
            asyncio.get_running_loop().call_soon(self._protocol.data_received, chunk)

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)


class Network:
    """Connects to wires in memory."""

    def __init__(self, answer: Callable[[bytes], list[bytes] | None]) -> None:
        self.wires: list[Wire] = []
        self._answer = answer

    async def connect(self, protocol: asyncio.Protocol, _: SplitResult) -> None:
        self.wires.append(Wire(protocol, self._answer))


async def test_a_request_is_whole_and_its_status_is_returned() -> None:
    network = Network(lambda _: [ACCEPTED])
    async with HttpPoster(URL, 1.0, network.connect) as poster:
        assert await poster.post(b"{1}", {"stripe-signature": "t=1"}) == 202
    (request,) = network.wires[0].requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /webhooks/stripe HTTP/1.1"
    assert {b"host: gateway.test:8080", b"stripe-signature: t=1", b"content-length: 3"} <= set(lines)
    assert body == b"{1}"


async def test_an_answer_may_come_in_pieces() -> None:
    network = Network(lambda _: [ACCEPTED[:20], ACCEPTED[20:40], ACCEPTED[40:]])
    async with HttpPoster(URL, 1.0, network.connect) as poster:
        assert await poster.post(b"", {}) == 202


async def test_a_connection_is_used_again() -> None:
    network = Network(lambda _: [ACCEPTED])
    async with HttpPoster(URL, 1.0, network.connect) as poster:
        await poster.post(b"1", {})
        await poster.post(b"2", {})
    assert len(network.wires) == 1
    assert len(network.wires[0].requests) == 2


async def test_two_requests_at_once_take_two_connections() -> None:
    network = Network(lambda _: [ACCEPTED])
    async with HttpPoster(URL, 1.0, network.connect) as poster:
        assert list(await asyncio.gather(poster.post(b"1", {}), poster.post(b"2", {}))) == [202, 202]
    assert len(network.wires) == 2


async def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    answer = b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    network = Network(lambda _: [answer])
    async with HttpPoster(URL, 1.0, network.connect) as poster:
        assert await poster.post(b"1", {}) == 413
        assert await poster.post(b"2", {}) == 413
    assert len(network.wires) == 2


async def test_a_lost_connection_is_no_answer() -> None:
    network = Network(lambda _: None)
    async with HttpPoster(URL, 1.0, network.connect) as poster:
        with pytest.raises(NoAnswerError, match="reset"):
            await poster.post(b"1", {})


async def test_silence_is_no_answer_and_closes_the_connection() -> None:
    network = Network(lambda _: [])
    async with HttpPoster(URL, 0.05, network.connect) as poster:
        with pytest.raises(NoAnswerError, match="timeout"):
            await poster.post(b"1", {})
    assert network.wires[0].closed


async def test_what_is_no_http_is_no_answer() -> None:
    network = Network(lambda _: [b"\x15\x03\x01 hello"])
    async with HttpPoster(URL, 1.0, network.connect) as poster:
        with pytest.raises(NoAnswerError, match="reset"):
            await poster.post(b"1", {})


async def test_a_refused_connection_is_no_answer() -> None:
    async def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    async with HttpPoster(URL, 1.0, refuse) as poster:
        with pytest.raises(NoAnswerError, match="refused"):
            await poster.post(b"1", {})


def test_only_http_urls_are_taken() -> None:
    with pytest.raises(ValueError, match="no http"):
        HttpPoster("gateway:8080", 1.0)
