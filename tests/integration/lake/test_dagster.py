"""Dagster as `make up PROFILE=lake` runs it: its state is in PostgreSQL, and runs outlive its processes."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pyarrow as pa
import pytest

from stack.engines.dagster import LOCATION, PROGRAMS
from stack.home import Home
from tests.engines import stack_command, start_more
from tests.lake import Lake

pytestmark = pytest.mark.timeout(600)

NAMES = tuple(program.name for program in PROGRAMS)
_RUN_SECONDS = 240.0
_LAUNCH = """mutation($of: ExecutionParams!) { launchRun(executionParams: $of) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


class Dagster:
    """What people do on its pages, asked of them directly."""

    def __init__(self, lake: Lake) -> None:
        self.home = Home(lake.engines.home)

    def ask(self, question: str, **values: object) -> Any:
        port = self.home.read_state().ports["dagster"]
        asked = {"query": question, "variables": values}
        answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=asked, timeout=30.0, trust_env=False)
        told = answer.raise_for_status().json()
        assert "errors" not in told, told
        return told["data"]

    def launch(self, job: str, *asset: str) -> str:
        of = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION, "jobName": job}
        selector = {**of, "assetSelection": [{"path": asset}]}
        launched = self.ask(_LAUNCH, of={"selector": selector, "mode": "default", "runConfigData": {}})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def status(self, run: str) -> str:
        return str(self.ask(_RUN, id=run)["runOrError"]["status"])

    def await_status(self, run: str, fits: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + _RUN_SECONDS
        while not fits(status := self.status(run)) and time.monotonic() < deadline:
            time.sleep(0.5)
        return status

    def log(self, run: str) -> str:
        return (self.home.data("dagster") / "workers" / f"{run}.log").read_text(encoding="utf-8")[-3000:]

    def kill(self) -> None:
        processes = self.home.read_state().processes
        for name in NAMES:
            os.kill(processes[name].pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def dagster(lake: Lake) -> Iterator[Dagster]:
    """Its three processes on the engines of the run."""
    start_more(lake.engines.home, *NAMES)
    yield Dagster(lake)
    stack_command(lake.engines.home, "down", *NAMES, timeout=120)


def test_a_run_outlives_the_kill_of_daemon_pages_and_code_server(lake: Lake, dagster: Dagster) -> None:
    catalog = lake.catalog()
    catalog.create_namespace("bronze")
    rows = pa.table({"event_id": ["stripe:evt_1"]})
    catalog.create_table("bronze.payment_events", rows.schema).append(rows)
    run = dagster.launch("maintain", "maintenance", "payment_events")
    assert dagster.await_status(run, lambda status: status in {"STARTING", "STARTED"}) in {"STARTING", "STARTED"}
    dagster.kill()
    start_more(lake.engines.home, *NAMES)
    ended = {"SUCCESS", "FAILURE", "CANCELED"}
    assert dagster.await_status(run, lambda status: status in ended) == "SUCCESS", dagster.log(run)


def test_its_state_is_in_a_database_of_its_own(lake: Lake, dagster: Dagster) -> None:
    with psycopg.connect(lake.engines.database_url("superuser", "tidegate_dagster")) as connection:
        found = connection.execute("SELECT count(*) FROM runs").fetchone()
    assert found is not None
    assert found[0] >= 1


def test_the_pipelines_are_loaded_and_every_daemon_is_alive(lake: Lake, dagster: Dagster) -> None:
    told = dagster.ask("{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }")
    assert told["workspaceOrError"]["locationEntries"] == [{"name": LOCATION, "loadStatus": "LOADED"}]
    screen = stack_command(lake.engines.home, "status", timeout=60).stdout.splitlines()
    ready = {line.split()[0] for line in screen if " pid " in line and line.endswith("ready")}
    assert ready >= set(NAMES)
