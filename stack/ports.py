"""Chooses a free loopback port for every listener, and keeps the choice over restarts."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from stack.errors import StackError

LOOPBACK = "127.0.0.1"

# Below every usual ephemeral range (Linux 32768+, macOS 49152+): no outgoing connection ever sits on a remembered port.
_FIRST, _LAST = 20000, 31999


@dataclass(frozen=True, slots=True)
class PortChoice:
    """The port of every name, and the remembered ones that had to be given up: name to (old, new)."""

    ports: Mapping[str, int]
    moved: Mapping[str, tuple[int, int]]


def choose_ports(
    names: Iterable[str],
    remembered: Mapping[str, int],
    is_free: Callable[[int], bool],
    first: int = _FIRST,
) -> PortChoice:
    """Keep each remembered port that is free, give every other name the next free one from `first` on.

    Names that are not asked for now keep their remembered ports reserved. Raises `StackError` when none is left.
    """
    ports: dict[str, int] = {}
    moved: dict[str, tuple[int, int]] = {}
    reserved = set(remembered.values())
    candidates = (port for port in _from(first) if port not in reserved and is_free(port))
    for name in names:
        old = remembered.get(name)
        if old is not None and is_free(old):
            ports[name] = old
            continue
        ports[name] = _next(candidates)
        if old is not None:
            moved[name] = (old, ports[name])
    return PortChoice(ports, moved)


def first_port_for(home: str) -> int:
    """Where a stack begins to look: spread by home, so that two stacks that start together rarely meet."""
    return _FIRST + zlib.crc32(home.encode()) % (_LAST - _FIRST)


def is_free(port: int) -> bool:
    """Whether nobody listens on this loopback port and it can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        if probe.connect_ex((LOOPBACK, port)) == 0:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _from(first: int) -> Iterable[int]:
    yield from range(first, _LAST + 1)
    yield from range(_FIRST, first)


def _next(candidates: Iterable[int]) -> int:
    for port in candidates:
        return port
    raise StackError(
        f"No free port between {_FIRST} and {_LAST} on {LOOPBACK}",
        "Stop what occupies them (other stacks: `python -m stack down` in their folders).",
    )
