import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stack.home import ProcessRecord
from stack.processes import Launch, identity, is_running, kill, start, stop, tail

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
FAMILY = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"


class Starter:
    """Starts small Python programs and remembers them."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "program.log"
        self._folder = folder
        self.records: list[ProcessRecord] = []

    def __call__(self, code: str, **environment: str) -> ProcessRecord:
        pid = start(Launch([sys.executable, "-c", code], self._folder, environment), self.log)
        record = ProcessRecord(pid, identity(pid) or "", "")
        self.records.append(record)
        return record

    def await_log(self, text: str) -> None:
        while text not in self.log.read_text():
            time.sleep(0.01)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    for record in starter.records:
        kill(record)


def test_a_started_process_is_recognised_and_stops_when_asked(run: Starter) -> None:
    record = run("import time; time.sleep(60)")
    assert is_running(record)
    assert stop(record, signal.SIGTERM, grace_seconds=10)
    assert not is_running(record)


def test_a_process_that_does_not_stop_is_killed_after_the_grace(run: Starter) -> None:
    record = run(STUBBORN)
    run.await_log("up")
    assert not stop(record, signal.SIGTERM, grace_seconds=0.2)
    assert not is_running(record)


def test_a_process_with_a_recycled_pid_is_neither_taken_for_ours_nor_stopped(run: Starter) -> None:
    other = run("import time; time.sleep(60)")
    ours_once = ProcessRecord(other.pid, "an earlier boot:12345", "")
    assert not is_running(ours_once)
    assert stop(ours_once, signal.SIGTERM, grace_seconds=0.2)
    kill(ours_once)
    assert is_running(other)


def test_killing_takes_the_whole_session(run: Starter) -> None:
    record = run(FAMILY)
    while not (children := psutil.Process(record.pid).children()):
        time.sleep(0.01)
    kill(record)
    # Orphans are reaped by init, a moment later.
    deadline = time.monotonic() + 10
    while any(identity(child.pid) is not None for child in children) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert all(identity(child.pid) is None for child in children)


def test_a_process_that_ended_is_gone_even_before_it_is_reaped(run: Starter) -> None:
    record = run("pass")
    while is_running(record):
        time.sleep(0.01)
    assert identity(record.pid) is None


def test_a_process_runs_in_a_session_of_its_own_with_no_input(run: Starter) -> None:
    record = run("import os, sys; print(os.getsid(0) == os.getpid(), repr(sys.stdin.read()), flush=True)")
    while is_running(record):
        time.sleep(0.01)
    assert run.log.read_text() == "True ''\n"


def test_the_log_of_the_run_before_is_kept_once(run: Starter) -> None:
    for text in ("first", "second", "third"):
        record = run(f"print('{text}')")
        while is_running(record):
            time.sleep(0.01)
    assert run.log.read_text() == "third\n"
    assert run.log.with_name("program.log.1").read_text() == "second\n"
    assert sorted(path.name for path in run.log.parent.iterdir()) == ["program.log", "program.log.1"]


def test_the_environment_is_added_to_the_callers(run: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_CALLER", "1")
    record = run("import os; print(os.environ['FROM_CALLER'], os.environ['ADDED'])", ADDED="2")
    while is_running(record):
        time.sleep(0.01)
    assert run.log.read_text() == "1 2\n"


def test_a_tail_is_the_last_lines_or_nothing(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    assert tail(log, 3) == []
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    assert tail(log, 3) == ["line 997", "line 998", "line 999"]
