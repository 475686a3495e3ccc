"""The outbox in PostgreSQL, for whoever holds an advisory lock: the lead lives and dies with its connection."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg

from services.orchestrator.adapters.database import Connection, bounded, connection_options, describe
from services.orchestrator.ports import QueuedDecision
from services.runtime.errors import NeighbourUnavailableError

# Any number will do, as long as it stays.
_LOCK: Final = 7_412_903_552
# Counting a long outbox exactly is not worth reading it.
_MOST_COUNTED: Final = 100_000
# The server gives the lock free when it notices that the leader's machine is gone: within half a minute.
_NOTICE_LOSS: Final = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"


class PostgresOutbox:
    """An Outbox over one connection, which also holds the lock: once it breaks, nothing more can be done with it."""

    def __init__(self, url: str, *, topic: str, application: str) -> None:
        options = connection_options(application)
        self._url = url
        self._options = {**options, "options": f"{options['options']} {_NOTICE_LOSS}"}
        self._topic = topic
        self._connection: Connection | None = None

    async def lead(self) -> bool:
        """Try to take the lock."""
        if self._connection is None:
            with _translated():
                self._connection = await psycopg.AsyncConnection.connect(self._url, **self._options)  # type: ignore[arg-type]
        with self._lead() as connection:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            (taken,) = await cursor.fetchone() or (False,)
            return bool(taken)

    async def release(self) -> None:
        """Close the connection, and with it the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def progress(self) -> Mapping[int, int]:
        """What relay_progress says of the topic."""
        with self._lead() as connection:
            cursor = await connection.execute(
                "SELECT partition, next_offset FROM tidegate.relay_progress WHERE topic = %s", [self._topic]
            )
            return dict(await cursor.fetchall())

    async def next(self, most: int) -> Sequence[QueuedDecision]:
        """The lowest sequences that are visible now."""
        with self._lead() as connection:
            cursor = await connection.execute(
                "SELECT sequence, event_id, payment_id, decision, headers FROM tidegate.decision_outbox"
                " ORDER BY sequence LIMIT %s",
                [most],
                binary=True,
            )
            return [QueuedDecision(*row) for row in await cursor.fetchall()]

    async def settle(self, event_ids: Iterable[str], progress: Mapping[int, int]) -> None:
        """Delete rows and store progress; it goes back only where the topic was made anew."""
        with self._lead() as connection:
            async with connection.transaction():
                await connection.execute(
                    "DELETE FROM tidegate.decision_outbox WHERE event_id = ANY (%s)", [list(event_ids)]
                )
                await connection.execute(
                    "INSERT INTO tidegate.relay_progress (topic, partition, next_offset)"
                    " SELECT %s, * FROM unnest(%s::integer[], %s::bigint[])"
                    " ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset",
                    [self._topic, list(progress), list(progress.values())],
                )

    async def backlog(self) -> int:
        """Rows that wait, counted up to a bound."""
        with self._lead() as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM (SELECT FROM tidegate.decision_outbox LIMIT %s) AS waiting", [_MOST_COUNTED]
            )
            (count,) = await cursor.fetchone() or (0,)
            return int(count)

    @contextmanager
    def _lead(self) -> Iterator[Connection]:
        """The connection that holds the lock."""
        if self._connection is None:
            raise NeighbourUnavailableError("PostgreSQL", "the relay does not hold the lead")
        with _translated(), bounded(self._connection):
            yield self._connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise NeighbourUnavailableError("PostgreSQL", describe(error)) from None
