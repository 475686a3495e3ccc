"""Posts signed webhooks over plain HTTP connections, and knows which requests were left without an answer."""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.runtime.clock import SystemClock

SECRET = "whsec_integration"


def event(number: int, **carried: Any) -> bytes:
    """The body of a charge.succeeded event with an id of its own."""
    charge = {
        "id": f"ch_{number}",
        "object": "charge",
        "amount": 4900 + number,
        "currency": "usd",
        "created": 1_763_870_000,
        "status": "succeeded",
        "metadata": {"merchant_id": f"merchant_{number % 7}"},
        **carried,
    }
    envelope = {"object": "event", "type": "charge.succeeded", "created": 1_763_870_300, "data": {"object": charge}}
    return orjson.dumps({"id": f"evt_{number}", "api_version": "2025-04-30.basil", **envelope})


def signature(body: bytes) -> str:
    """A Stripe-Signature of now."""
    at = int(SystemClock().now().timestamp())
    return f"t={at},v1={hmac.new(SECRET.encode(), b'%d.' % at + body, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def receipt_id(self) -> str:
        """The receipt of a stored webhook."""
        return str(orjson.loads(self.body)["receipt_id"])

    @property
    def closes(self) -> bool:
        """Whether the server asked not to use the connection again."""
        return self.headers.get("connection", "").lower() == "close"


class Connection:
    """One HTTP/1.1 connection, used for one request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to a gateway on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, body: bytes, *, chunked: bool = False) -> Answer:
        """Post a webhook; ConnectionError when the connection ends without an answer."""
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        head = (
            "POST /webhooks/stripe HTTP/1.1",
            "Host: gateway",
            f"Stripe-Signature: {signature(body)}",
            length,
            "",
            "",
        )
        self._writer.write("\r\n".join(head).encode())
        self._writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
        with suppress(ConnectionError):  # the server may answer and close before it has read everything
            await self._writer.drain()
        return await self._answer()

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _answer(self) -> Answer:
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self._reader.readexactly(int(headers["content-length"]))
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the connection ended without an answer") from error
        return Answer(int(status.split()[1]), headers, body)


@dataclass
class Load:
    """Posts webhooks on several connections until told to stop, and keeps the books."""

    port: int
    connections: int
    answers: dict[int, Answer] = field(default_factory=dict)
    # Numbers of requests that were sent and got no answer.
    unanswered: list[int] = field(default_factory=list)
    stopping: bool = False
    _next: int = 0

    async def run(self) -> None:
        """Post until `stopping`, or until the gateway takes no connection more."""
        await asyncio.gather(*(self._post_in_turn() for _ in range(self.connections)))

    def acknowledged(self) -> set[str]:
        """Receipts of all that was answered 202."""
        return {answer.receipt_id for answer in self.answers.values() if answer.status == 202}

    def statuses(self) -> set[int]:
        """Every status that was seen."""
        return {answer.status for answer in self.answers.values()}

    async def _post_in_turn(self) -> None:
        while not self.stopping:
            try:
                connection = await Connection.open(self.port)
            except ConnectionError:
                return
            await self._use(connection)
            await connection.close()

    async def _use(self, connection: Connection) -> None:
        while not self.stopping:
            self._next += 1
            number = self._next
            try:
                answer = await connection.post(event(number))
            except ConnectionError:
                self.unanswered.append(number)
                return
            self.answers[number] = answer
            if answer.closes:
                return
            await asyncio.sleep(0.002)
