"""A run's process is known by more than its number, so that one that is gone is told from one that is there."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mlops.pipelines.lib.launcher import Worker


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def test_a_run_s_process_is_there_until_it_ends(process: subprocess.Popen[bytes]) -> None:
    worker = Worker.of(process.pid)
    assert worker.is_there()
    process.kill()
    process.wait(20)
    assert not worker.is_there()


def test_one_that_has_ended_and_that_nobody_asked_for_is_gone_too(process: subprocess.Popen[bytes]) -> None:
    worker = Worker.of(process.pid)
    process.kill()
    deadline = time.monotonic() + 20
    while worker.is_there() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not worker.is_there()


def test_another_process_of_the_same_number_is_another_one(process: subprocess.Popen[bytes]) -> None:
    assert not replace(Worker.of(process.pid), started="1").is_there()


def test_of_another_host_nothing_can_be_told(process: subprocess.Popen[bytes]) -> None:
    assert replace(Worker.of(process.pid), host="elsewhere", started="1").is_there()


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[bytes]]:
    """Leads a session, as runs do, and does not stop when it is asked."""
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"
    command = [sys.executable, "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started
        started.kill()


def test_a_run_that_goes_on_when_it_is_asked_to_stop_is_killed(deaf: subprocess.Popen[bytes]) -> None:
    worker = Worker.of(deaf.pid)
    worker.end(0.3)
    assert not worker.is_there()
    assert deaf.wait(20) == -signal.SIGKILL
