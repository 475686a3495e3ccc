"""MLflow's tracking server and model registry: its tables in PostgreSQL, its artifacts in S3, behind its own API.

`mlflow server` is a parent that sets the variables below and starts this same uvicorn. Started without it, there is
one process less, and none that outlives a kill -9 of its parent and keeps the port.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from stack.engines.seaweedfs import endpoint_url, s3_environment
from stack.errors import StackError
from stack.ports import LOOPBACK
from stack.probes import answer
from stack.processes import Launch
from stack.program import Context, Kind, Program
from stack.tuning import MLFLOW, MLFLOW_COMMAND

MLFLOW_ROLE = "tidegate_mlflow"
MLFLOW_DATABASE = "tidegate_mlflow"

_PASSWORD = "postgresql_mlflow"  # noqa: S105 -- the name of a secret
_TABLES_SECONDS = 120.0
# One question to each of its two stores: the first start makes their tables, which takes seconds.
_QUESTIONS = ("experiments/search", "registered-models/search")


def tracking_url(context: Context) -> str:
    """Base URL of the server, as clients take it for their tracking URI."""
    return f"http://{LOOPBACK}:{context.ports['mlflow']}"


def has_tables(context: Context) -> bool:
    """Whether this version has made its tables here, so that nobody needs to see it through its start."""
    return _tables_file(context).exists()


def _tables_file(context: Context) -> Path:
    return context.home.data("mlflow") / f"tables-{importlib.metadata.version('mlflow')}"


def _prepare(context: Context) -> None:
    context.home.data("mlflow").mkdir(parents=True, exist_ok=True)


def _launch(context: Context) -> Launch:
    server = f"{LOOPBACK}:{context.ports['postgresql']}"
    database = f"postgresql+psycopg://{MLFLOW_ROLE}:{context.secrets[_PASSWORD]}@{server}/{MLFLOW_DATABASE}"
    environment = {
        **MLFLOW,
        **s3_environment(context),
        "_MLFLOW_SERVER_FILE_STORE": database,
        "MLFLOW_S3_ENDPOINT_URL": endpoint_url(context),
    }
    address = ["--host", LOOPBACK, "--port", str(context.ports["mlflow"])]
    return Launch([sys.executable, *MLFLOW_COMMAND, *address], context.home.data("mlflow"), environment)


def _ready(context: Context) -> None:
    answer(f"{tracking_url(context)}/health")


def _provision(context: Context) -> None:
    for question in _QUESTIONS:
        url = f"{tracking_url(context)}/api/2.0/mlflow/{question}?max_results=1"
        try:
            httpx.get(url, timeout=_TABLES_SECONDS, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            raise StackError(
                f"MLflow started, but cannot use its tables: {error}",
                f"See {context.home.log('mlflow')}; stop it with `python -m stack down mlflow` before the next `up`.",
            ) from error
    _tables_file(context).touch()


def _links(context: Context) -> Mapping[str, str]:
    return {"UI": tracking_url(context)}


ENGINE = Program(
    name="mlflow",
    kind=Kind.ENGINE,
    ports=("mlflow",),
    secrets=(_PASSWORD,),
    needs=("postgresql",),  # and SeaweedFS, but not before the first artifact
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    provision=_provision,
    links=_links,
    start_seconds=180.0,  # it imports for seconds of processor time, minutes on a machine that is busy
)
