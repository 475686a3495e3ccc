"""A TCP proxy on loopback, to cut or to silence: a neighbour that is away, while it goes on for everybody else."""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes between clients and a neighbour."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._to_port = host, port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._silences: set[asyncio.Event] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def open(self) -> None:
        """Let clients through, on the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection and take no new one."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def silence(self) -> None:
        """Pass nothing more on the connections there are, and close none: a neighbour's machine that is gone, without a
        word, while another takes its place for new ones.
        """
        for silent in self._silences:
            silent.set()

    def instead_of(self, url: str) -> str:
        """The URL with the proxy in the neighbour's place."""
        return url.replace(f":{urlsplit(url).port}", f":{self.port}")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        silent = asyncio.Event()
        self._silences.add(silent)
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._to_port)
            try:
                await asyncio.gather(_pass(reader, far_writer, silent), _pass(far_reader, writer, silent))
            finally:
                far_writer.close()
        except (OSError, asyncio.CancelledError):
            pass  # cut
        finally:
            self._connections.discard(task)
            self._silences.discard(silent)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silent: asyncio.Event) -> None:
    while data := await reader.read(65536):
        if silent.is_set():
            await asyncio.Event().wait()  # until cut
        writer.write(data)
        await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.write_eof()
