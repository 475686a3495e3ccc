"""Starts and stops a process in order: signals become an event, asyncio runs on uvloop."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop

from services.runtime.settings import ProcessSettings
from services.runtime.telemetry import configure_logging, configure_tracing


def start_telemetry(service: str, process: ProcessSettings) -> None:
    """Logs from the first line on; traces where OTEL_EXPORTER_OTLP_ENDPOINT is set."""
    configure_logging(service, process.instance, process.log_level)
    configure_tracing(service, process.instance, enabled=bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")))


def run_until_signalled(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main` on uvloop; SIGTERM and SIGINT set the event it is given, and it stops in its own order."""

    async def run() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        await main(stopping)

    with suppress(KeyboardInterrupt):
        uvloop.run(run())
