"""Closes connections whose clients take too long, by looking at all of them now and then.

A timer for each request would cost more than the parsing of its head: asyncio.timeout takes 12 us on a busy machine.
Looking at all connections costs a request nothing; a deadline is kept to within the interval of the looks.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple

from services.gateway.connection import Awaited, Connection, ConnectionLimits
from services.runtime.clock import Clock

# How long a client may take to read what it was sent; our answers are small.
_READING_SECONDS: Final = 30.0
_INTERVAL_SECONDS: Final = 1.0


class _Wait(NamedTuple):
    awaited: Awaited
    # The request that was last begun on the connection: when there is another, the wait is another.
    request: object
    began: float


class Deadlines:
    """Remembers since when each connection waits for its client."""

    def __init__(self, limits: ConnectionLimits, clock: Clock) -> None:
        self._clock = clock
        self._seconds: dict[Awaited, float] = {
            "head": limits.head_timeout_seconds,
            "body": limits.body_timeout_seconds,
            "reading": _READING_SECONDS,
        }
        self._waits: dict[Connection, _Wait] = {}

    async def watch(self, connections: Callable[[], Collection[Any]]) -> None:
        """Look at the connections for as long as the process runs."""
        interval = min(_INTERVAL_SECONDS, *(seconds / 4 for seconds in self._seconds.values()))
        while True:
            await asyncio.sleep(interval)
            self.enforce(connections())

    def enforce(self, connections: Collection[Connection]) -> None:
        """Close the connections that have waited for too long."""
        now = self._clock.monotonic()
        self._waits = dict(self._current(connections, now))
        for connection, wait in self._waits.items():
            if now - wait.began >= self._seconds[wait.awaited]:
                _end(connection, wait.awaited)

    def _current(self, connections: Collection[Connection], now: float) -> Iterator[tuple[Connection, _Wait]]:
        for connection in connections:
            awaited = connection.awaits
            if awaited is not None:
                before = self._waits.get(connection)
                same = before is not None and (before.awaited, before.request) == (awaited, connection.cycle)
                yield connection, before if same and before is not None else _Wait(awaited, connection.cycle, now)


def _end(connection: Connection, awaited: Awaited) -> None:
    match awaited:
        case "head":
            connection.refuse("head_too_late")
        case "body":
            connection.refuse("body_too_late")
        case "reading":
            connection.transport.abort()
