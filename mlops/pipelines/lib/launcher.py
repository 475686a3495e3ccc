"""Starts each run as a process of its own, which outlives webserver and daemon, and tells whether it is still there.

Dagster's own launcher makes runs children of the code server and cannot say whether one died: what a restart of the
machine ended would count as running for ever. Here run monitoring finds it, marks it as failed, and run retries go on
from the step that it had come to. For one machine; on a cluster Dagster's launcher of that cluster takes its place.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData

WORKER_TAG: Final = "tidegate/worker"
WORKERS: Final = "workers"
"""Folder of DAGSTER_HOME: of each run `<run>.json` says which process it is, and `<run>.log` has what that said."""
_PATIENCE_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1
_ZOMBIE: Final = "Z"
# Of /proc/<pid>/stat, counted from behind the name of the command, which may hold anything.
_STATE, _STARTED = 0, 19


@dataclass(frozen=True, slots=True)
class Worker:
    """Which process a run is: its number alone may have been given to another one since."""

    host: str
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Self:
        """The process of this number on this host."""
        return cls(socket.gethostname(), pid, _stat(pid)[1])

    def is_there(self) -> bool:
        """Whether it still runs; of another host nothing can be told, and it is taken to."""
        return self.host != socket.gethostname() or (_alive(self.pid) and _stat(self.pid)[1] == self.started)

    def end(self, patience_seconds: float) -> None:
        """Ask it to stop, with all that it started, and kill what has not after a while.

        A step with a retry policy takes the question for a failure: the run would try it again, and go on.
        """
        for question in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, question)
            deadline = time.monotonic() + patience_seconds
            while self.is_there() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
            if not self.is_there():
                return


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _stat(pid)[0] != _ZOMBIE


def _stat(pid: int) -> tuple[str, str]:
    """State and start of a process; empty where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[_STATE], fields[_STARTED]


class ProcessRunLauncher(RunLauncher, ConfigurableClass):
    """A RunLauncher; `dagster.yaml` names this module and this class."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        # Those of this process's own are asked, so that none stays a zombie.
        self._own: dict[str, subprocess.Popen[bytes]] = {}
        super().__init__()  # type: ignore[no-untyped-call] # Dagster's

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml said."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Any:
        """It takes no configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:  # noqa: ARG003 - Dagster's signature
        """As dagster.yaml says."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process, in a session of its own."""
        run_id = context.dagster_run.run_id
        if context.job_code_origin is None:
            raise ValueError("the run does not say which code it is of")
        arguments = ExecuteRunArgs(context.job_code_origin, run_id, self._instance.get_ref(), True)
        with self._file(run_id, "log").open("wb") as log:
            worker = subprocess.Popen(
                arguments.get_command_args(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._own[run_id] = worker
        told = json.dumps(asdict(Worker.of(worker.pid)))
        self._file(run_id, "json").write_text(told, encoding="utf-8")
        self._instance.add_run_tags(run_id, {WORKER_TAG: told})

    def terminate(self, run_id: str) -> bool:
        """Ask the run to stop, and end it where it does not; whether it was there to be asked."""
        run = self._instance.get_run_by_id(run_id)
        worker = _worker_of(run) if run is not None and not run.is_finished else None
        if run is None or worker is None or worker.host != socket.gethostname() or not worker.is_there():
            return False
        self._instance.report_run_canceling(run)
        threading.Thread(target=self._end, args=(run_id, worker), daemon=True).start()
        return True

    def _end(self, run_id: str, worker: Worker) -> None:
        """Wait for it beside: whoever asked is answered at once."""
        worker.end(_PATIENCE_SECONDS)
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_canceled(run)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It can tell."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process is there."""
        own = self._own.get(run.run_id)
        if own is not None and own.poll() is not None:
            del self._own[run.run_id]
        worker = _worker_of(run)
        if worker is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "no process is known of it")
        if worker.is_there():
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"its process {worker.pid} is gone")

    def _file(self, run_id: str, kind: str) -> Path:
        folder = Path(self._instance.root_directory) / WORKERS
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{run_id}.{kind}"


def _worker_of(run: DagsterRun) -> Worker | None:
    told = run.tags.get(WORKER_TAG)
    return None if told is None else Worker(**json.loads(told))
