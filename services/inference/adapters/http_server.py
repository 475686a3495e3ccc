"""Runs the JSON application beside gRPC, on the same loop, and stops it in order."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from services.runtime.grpc_server import TlsFiles


class HttpServer:
    """uvicorn without its signal handling: the process decides when to stop."""

    def __init__(self, app: FastAPI, *, tls: TlsFiles | None, grace_seconds: float) -> None:
        self._server = _Unsignalled(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=max(1, round(grace_seconds)),
                ssl_certfile=None if tls is None else str(tls.certificate),
                ssl_keyfile=None if tls is None else str(tls.key),
            )
        )
        self._serving: asyncio.Task[None] | None = None

    def start(self, host: str, port: int) -> int:
        """Listen (port 0: any free one) and serve; returns the port."""
        listener = _listen(host, port)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="http")
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Finish the requests in flight and close."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


class _Unsignalled(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}; is the port in use?") from error
