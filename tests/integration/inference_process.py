"""Inference as a process of its own on free ports, as production starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from tests.process_logs import assert_no_unexpected_errors

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 60
_STOP_SECONDS = 30


@dataclass(frozen=True)
class Inference:
    """A running inference process."""

    address: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path
    ca: Path | None = None

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        text = httpx.get(f"{self.url}/metrics", trust_env=False, verify=self._verify()).text
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        samples = re.findall(rf"^{name}{{(.*)}} (\S+)$", text, re.MULTILINE)
        return sum(float(value) for found, value in samples if all(label in found for label in wanted))

    def terminate(self) -> None:
        """Ask it to stop, as an orchestrator does."""
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for its end."""
        return self.process.wait(_STOP_SECONDS)

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, verify=self._verify()).is_success
        except httpx.TransportError:
            return False

    def remarks(self) -> str:
        """What /readyz says besides."""
        return httpx.get(f"{self.url}/readyz", trust_env=False, verify=self._verify()).text

    def _verify(self) -> bool:
        return self.ca is None


@contextmanager
def started(
    folder: Path, *, ca: Path | None = None, expected_errors: Collection[str] = (), **environment: str
) -> Iterator[Inference]:
    """Start it with these settings besides its addresses; stop it when the block is left, and look through its log."""
    address, http = free_address(), free_address()
    url = f"{'https' if ca else 'http'}://{http}"
    log = folder / f"inference-{address.rpartition(':')[2]}.log"
    with log.open("wb") as output:
        process = launch(output, TIDEGATE_INFERENCE_ADDRESS=address, TIDEGATE_INFERENCE_URL=url, **environment)
    inference = Inference(address, url, process, log, ca)
    try:
        _await_ready(inference)
        yield inference
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)
    assert_no_unexpected_errors([log], expected_errors)


def launch(output: IO[bytes] | int, **environment: str) -> subprocess.Popen[bytes]:
    """Start the module with these settings."""
    return subprocess.Popen(
        [sys.executable, "-m", "services.inference"],
        cwd=_ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def free_address() -> str:
    """A loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _await_ready(inference: Inference) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not inference.ready():
        if inference.process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"inference did not start:\n{inference.log.read_text()}")
        time.sleep(0.05)
