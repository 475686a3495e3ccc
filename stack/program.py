"""What an engine or a service is to the stack: one row that says how to fetch, start, probe and stop it."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from stack.home import Home
from stack.processes import Launch


class Kind(Enum):
    """Engines come first and hold the data; services are our own processes on top of them."""

    ENGINE = "engine"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Context:
    """All that a program's functions may depend on: paths, chosen ports, generated secrets."""

    home: Home
    ports: Mapping[str, int]
    secrets: Mapping[str, str]


class NotReadyError(Exception):
    """A readiness probe's answer: not yet, and why."""


def _nothing() -> None:
    return


def _nothing_in(context: Context) -> None:
    del context


def _no_links(context: Context) -> Mapping[str, str]:
    del context
    return {}


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process.

    `fetch` makes its files present (it may download). `prepare` lays out its data folder, before each start.
    `launch` is pure. `ready` raises `NotReadyError` until the program can serve. `provision` runs once it is ready,
    at each `up`, and must be idempotent. `settled` runs after a graceful stop.
    """

    name: str
    kind: Kind
    launch: Callable[[Context], Launch]
    ready: Callable[[Context], None]
    ports: Sequence[str] = ()
    secrets: Sequence[str] = ()
    needs: Sequence[str] = ()
    fetch: Callable[[], None] = _nothing
    prepare: Callable[[Context], None] = _nothing_in
    provision: Callable[[Context], None] = _nothing_in
    settled: Callable[[Context], None] = _nothing_in
    links: Callable[[Context], Mapping[str, str]] = _no_links
    stop_signal: signal.Signals = signal.SIGTERM
    start_seconds: float = 90.0
    stop_seconds: float = 30.0


def launch_fingerprint(launch: Launch) -> str:
    """Tells whether a running program was started as it would be started now; holds no secret in the clear.

    Whether a JVM reads or writes its class cache is no difference: it only changes how fast it started.
    """
    argv = [argument for argument in launch.argv if not argument.startswith("-XX:AOTCache")]
    text = json.dumps([argv, launch.user, launch.configuration, str(launch.cwd), sorted(launch.environment.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def start_order(programs: Sequence[Program]) -> list[Program]:
    """The programs in an order in which each comes after what it needs; stopping goes the other way round.

    Needs that are not among the programs are taken as met. Raises ValueError on a circle.
    """
    names = {program.name for program in programs}
    placed: dict[str, Program] = {}
    waiting = list(programs)
    while waiting:
        able = [p for p in waiting if all(need in placed or need not in names for need in p.needs)]
        if not able:
            raise ValueError(f"programs need each other in a circle: {[p.name for p in waiting]}")
        placed.update({program.name: program for program in able})
        waiting = [program for program in waiting if program.name not in placed]
    return list(placed.values())
