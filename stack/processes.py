"""Starts, recognises and stops operating system processes; never touches one it did not start."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stack.home import ProcessRecord

_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.5
_ON_LINUX = platform.system() == "Linux"

_children: list[subprocess.Popen[bytes]] = []  # held, so that none is finalised (and warned about) while it runs on
_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Launch:
    """How a program is started.

    `environment` is what is added to the caller's; `user` is set only under root. `configuration` is the text of a file
    that the program reads at its start: it counts when a running program is compared with how it would be started now.
    """

    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    configuration: str = ""


def start(launch: Launch, log: Path) -> int:
    """Start a process in a session of its own, with no input and its output in `log`; returns its pid.

    The log of the run before is kept beside it as `<log>.1`.
    """
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            launch.argv,
            cwd=launch.cwd,
            env={**os.environ, **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=launch.user,
            group=launch.user,
            extra_groups=[] if launch.user else None,
        )
    _children.append(process)
    return process.pid


def identity(pid: int) -> str | None:
    """What tells this process from any other that had or will have the same pid; None when it does not run.

    A zombie does not run; one of our own children is reaped here. On Linux it is boot id and start tick, which no clock
    change moves; elsewhere the recorded start time.
    """
    for child in _children:
        if child.pid == pid:
            child.poll()
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if _ON_LINUX:
            return f"{_boot_id()}:{_start_ticks(pid)}"
        return f"{process.create_time():.6f}"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None


def is_running(record: ProcessRecord) -> bool:
    """Whether the recorded process, and no other with its pid, is alive."""
    return identity(record.pid) == record.identity


def stop(record: ProcessRecord, first_signal: signal.Signals, grace_seconds: float) -> bool:
    """Ask the recorded process to stop, kill its session after the grace; True when it stopped by itself."""
    if not is_running(record):
        return True
    _signal(record, first_signal)
    if _wait_gone(record, grace_seconds):
        return True
    kill(record)
    return False


def kill(record: ProcessRecord) -> None:
    """Kill the recorded process and the rest of its session, and wait until it is gone."""
    if not is_running(record):
        return
    members = _session(record.pid)
    _signal(record, signal.SIGKILL)
    for member in members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    _wait_gone(record, _KILL_SECONDS)


def await_end(pid: int) -> None:
    """Return when this process has ended, however it did."""
    first = identity(pid)
    while first is not None and identity(pid) == first:
        time.sleep(_WATCH_SECONDS)


def memory_bytes(pid: int) -> int:
    """Memory of a process and its descendants; shared pages are counted once where the system tells (Linux)."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_memory(process) for process in family)


def started_at(pid: int) -> float | None:
    """Wall-clock start of a process, in seconds since the epoch."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - lines * 400))
            return file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        if _ON_LINUX:
            return int(process.memory_full_info().pss)
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def _session(pid: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        try:
            if process.pid != pid and os.getsid(process.pid) == pid:
                members.append(process)
        except (ProcessLookupError, PermissionError):
            continue
    return members


def _signal(record: ProcessRecord, number: signal.Signals) -> None:
    try:
        os.kill(record.pid, number)
    except ProcessLookupError:
        return


def _wait_gone(record: ProcessRecord, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(record):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_ticks(pid: int) -> str:
    # The second field is the command's name in brackets and may itself hold blanks: count from its end.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return fields[19]
