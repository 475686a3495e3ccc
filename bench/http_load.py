"""Sends prepared HTTP requests over keep-alive connections; as little work as a client can do."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request was answered, and after how many seconds."""

    status: int
    seconds: float


def request(url: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of one POST request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def send_all(url: str, requests: Sequence[bytes], connections: int) -> list[Answer]:
    """Send every request, `connections` at a time; answers in no particular order."""
    queue = list(requests)[::-1]
    lists = await asyncio.gather(*(_send_from(url, queue) for _ in range(connections)))
    return [answer for answers in lists for answer in answers]


async def _send_from(url: str, queue: list[bytes]) -> list[Answer]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    answers = []
    while queue:
        start = time.perf_counter()
        writer.write(queue.pop())
        answers.append(Answer(await _read_answer(reader), time.perf_counter() - start))
    writer.close()
    await writer.wait_closed()
    return answers


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = int(head.split(" ", 2)[1])
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            await reader.readexactly(int(value))
            return status
    raise ValueError(f"an answer without a length: {head[:200]}")
