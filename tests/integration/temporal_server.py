"""Temporal servers of one test's own: the engine's binary."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from services.orchestrator.adapters.interceptors import StartInterceptor
from services.orchestrator.adapters.temporal import PAYLOADS, logged_runtime
from stack.ports import LOOPBACK
from stack.tuning import TEMPORAL_DYNAMIC, TEMPORAL_SQLITE

TEMPORAL = Path(sys.executable).with_name("temporal")
_START_SECONDS = 60.0


@asynccontextmanager
async def skipping_time() -> AsyncIterator[WorkflowEnvironment]:
    """A server in memory whose workflows skip timers and the backoff of regular activities."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(TEMPORAL),
        dev_server_log_level="error",
        dev_server_extra_args=[
            part
            for setting in ("WorkflowTimeSkippingEnabled", "WorkflowPauseEnabled")
            for part in ("--dynamic-config-value", f"frontend.{setting}=true")
        ],
        data_converter=PAYLOADS,
        interceptors=[StartInterceptor()],
        runtime=logged_runtime(),
        identity="test",
    )
    try:
        yield environment
    finally:
        await environment.shutdown()


class TemporalServer:
    """A server with its state on disk, set up as the embedded engine is, to be killed and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The front end."""
        return f"{LOOPBACK}:{self._port}"

    async def start(self) -> None:
        """Start it on what is on the disk; returns once it answers."""
        with (self._folder / "temporal.log").open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: ASYNC220 - returns at once
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(RuntimeError):
                await Client.connect(self.address)
                return
        raise AssertionError((self._folder / "temporal.log").read_text()[-2000:])

    def kill(self) -> None:
        """Kill -9."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def _command(self) -> Sequence[str]:
        command = [str(TEMPORAL), "server", "start-dev", "--headless", "--ip", LOOPBACK, "--port", str(self._port)]
        command += ["--db-filename", str(self._folder / "temporal.sqlite"), "--log-level", "error"]
        for key, value in TEMPORAL_SQLITE.items():
            command += ["--sqlite-pragma", f"{key}={value}"]
        for key, value in TEMPORAL_DYNAMIC.items():
            command += ["--dynamic-config-value", f"{key}={value}"]
        return command
