"""Dagster: one server that has loaded the pipelines, the web pages, and the daemon that starts what is due.

Pages and daemon ask one code server: each would load the pipelines again for itself. A run is a process of its own and
outlives all three; `down` ends those that are left.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from stack.engines.postgresql import DAGSTER as ROLE
from stack.engines.postgresql import database_url
from stack.environment import lake_addresses
from stack.errors import StackError
from stack.home import REPOSITORY_ROOT
from stack.ports import LOOPBACK, is_free
from stack.probes import answer
from stack.processes import Launch, started_at
from stack.program import Context, Kind, NotReadyError, Program
from stack.tuning import DAGSTER, DAGSTER_ENVIRONMENT

MODULE = "mlops.pipelines.definitions"
LOCATION = "tidegate"

_DATABASE_SETTING = "TIDEGATE_DAGSTER_DATABASE_URL"
_MIGRATE_SECONDS = 120.0
_PROBE_SECONDS = 5.0
_RUNS_SECONDS = 20.0
_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy lastHeartbeatTime } } } }"


def url(context: Context) -> str:
    """Where people look at assets and runs."""
    return f"http://{LOOPBACK}:{context.ports['dagster']}"


def instance_file() -> str:
    """`dagster.yaml`; the database's address and password are in the environment."""
    storage = {"postgres": {"postgres_url": {"env": _DATABASE_SETTING}}}
    return yaml.safe_dump({**DAGSTER, "storage": storage})


def workspace_file(context: Context) -> str:
    """`workspace.yaml`: the one code server."""
    server = {"host": LOOPBACK, "port": context.ports["dagster-code"], "location_name": LOCATION}
    return yaml.safe_dump({"load_from": [{"grpc_server": server}]})


def _home(context: Context) -> Path:
    return context.home.data("dagster")


def _environment(context: Context) -> dict[str, str]:
    return {
        **DAGSTER_ENVIRONMENT,
        **lake_addresses(context),
        _DATABASE_SETTING: database_url(context, ROLE, ROLE),
    }


def _launch(context: Context, *arguments: str) -> Launch:
    configuration = instance_file() + workspace_file(context)
    argv = [sys.executable, "-m", *arguments]
    return Launch(argv, REPOSITORY_ROOT, _environment(context), configuration=configuration)


def _launch_code(context: Context) -> Launch:
    address = ["--host", LOOPBACK, "--port", str(context.ports["dagster-code"])]
    code = ["--module-name", MODULE, "--location-name", LOCATION, "--log-level", "warning"]
    own_python = "--use-python-environment-entry-point"  # for runs, whatever PATH says
    return _launch(context, "dagster", "api", "grpc", *address, *code, own_python)


def _launch_pages(context: Context) -> Launch:
    address = ["--host", LOOPBACK, "--port", str(context.ports["dagster"])]
    return _launch(context, "dagster_webserver", "--workspace", str(_workspace(context)), *address)


def _launch_daemon(context: Context) -> Launch:
    return _launch(context, "dagster._daemon", "run", "--workspace", str(_workspace(context)))


def _workspace(context: Context) -> Path:
    return _home(context) / "workspace.yaml"


def _prepare(context: Context) -> None:
    folder = _home(context)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(instance_file(), encoding="utf-8")
    _workspace(context).write_text(workspace_file(context), encoding="utf-8")


def _prepare_pages(context: Context) -> None:
    _prepare(context)
    made = _home(context) / f"tables-{importlib.metadata.version('dagster')}"
    if not made.exists():
        _make_tables(context)
        made.touch()


def _make_tables(context: Context) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "instance", "migrate"],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, **_environment(context)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_MIGRATE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise StackError(
            f"Dagster's tables could not be made:\n{(done.stdout + done.stderr).strip()[-1500:]}",
            f"Correct the cause and run `up` again. Its database is {ROLE}; nothing but its history of runs is in it.",
        )


def _code_ready(context: Context) -> None:
    """It listens when it has loaded the pipelines, and ends where it cannot."""
    if is_free(context.ports["dagster-code"]):
        raise NotReadyError("the pipelines are not loaded yet")


def _pages_ready(context: Context) -> None:
    answer(f"{url(context)}/server_info")


def _daemon_ready(context: Context) -> None:
    told = ask(context, _DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    record = context.home.read_state().processes.get(DAEMON.name)
    began = started_at(record.pid) if record else None
    if silent := silent_daemons(told, began or 0.0):
        raise NotReadyError(f"no sign of life yet from {', '.join(silent)}")


def silent_daemons(told: Sequence[Mapping[str, Any]], began: float) -> list[str]:
    """Those that Dagster needs and that gave no sign of life since the daemon was started.

    Dagster itself takes what the daemon before gave, in its last minutes, for one of this.
    """
    return [
        one["daemonType"]
        for one in told
        if one["required"] and not (one["healthy"] and (one["lastHeartbeatTime"] or 0.0) >= began)
    ]


def ask(context: Context, question: str) -> Any:
    """What GraphQL answers; NotReadyError where it does not."""
    try:
        given = httpx.post(f"{url(context)}/graphql", json={"query": question}, timeout=_PROBE_SECONDS, trust_env=False)
        told = given.raise_for_status().json()
    except httpx.HTTPError as error:
        raise NotReadyError(f"/graphql: {type(error).__name__}") from error
    if "errors" in told:
        raise NotReadyError(f"/graphql: {told['errors'][0]['message']}")
    return told["data"]


def _end_runs(context: Context) -> None:
    """Ask what runs are left to stop, and end those that do not: nobody would look after them."""
    left = [process for file in (_home(context) / "workers").glob("*.json") if (process := _worker(file))]
    for process in left:
        _signal(process, signal.SIGTERM)
    _, deaf = psutil.wait_procs(left, timeout=_RUNS_SECONDS)
    for process in deaf:
        _signal(process, signal.SIGKILL)


def _worker(file: Path) -> psutil.Process | None:
    """The process that the file tells of, if it is still that one: runs lead a session of their own."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        process = psutil.Process(told["pid"])
        known = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None
    return process if known == told.get("started") else None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _links(context: Context) -> Mapping[str, str]:
    return {"UI": url(context)}


CODE = Program(
    name="dagster-code",
    kind=Kind.ENGINE,
    ports=("dagster-code",),
    needs=("postgresql",),
    prepare=_prepare,
    launch=_launch_code,
    ready=_code_ready,
    start_seconds=180.0,
)
PAGES = Program(
    name="dagster",
    kind=Kind.ENGINE,
    ports=("dagster",),
    needs=("postgresql", "dagster-code"),
    prepare=_prepare_pages,
    launch=_launch_pages,
    ready=_pages_ready,
    links=_links,
    start_seconds=180.0,
)
DAEMON = Program(
    name="dagster-daemon",
    kind=Kind.ENGINE,
    needs=("dagster",),
    launch=_launch_daemon,
    ready=_daemon_ready,
    settled=_end_runs,
    start_seconds=180.0,
)
PROGRAMS: tuple[Program, ...] = (CODE, PAGES, DAEMON)
