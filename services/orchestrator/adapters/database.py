"""Connections to PostgreSQL, and what its errors mean."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

_CONNECT_SECONDS = 3
_WAIT_SECONDS = 2.0
# The pool doubles its pauses between attempts, without an upper bound: after an outage of minutes it would look again
# minutes later. So it gives up at once, and each call, `watch`'s among them, makes it try anew.
_RECONNECT_SECONDS = 1.0
# A statement here takes milliseconds; one that takes this long waits for a lock or a dead disk.
_STATEMENT_MS = 8_000
# Nothing at all has come by then: the server would have ended the statement, so it is gone, or the way to it.
_SILENCE_SECONDS = _STATEMENT_MS / 1000 + 2
_PING_SECONDS = 3.0
# How long sent bytes may go without an acknowledgement; Linux's own bound is a quarter of an hour.
_UNACKNOWLEDGED_MS = 10_000

Connection = AsyncConnection[TupleRow]


class DatabaseUnavailableError(Exception):
    """PostgreSQL does not answer, or not as deployment should have made it answer. Its text holds no value."""


class _SilentError(psycopg.OperationalError):
    """A connection on which no answer came."""


# What PostgreSQL says about the values it was given: the same values get the same answer.
REFUSALS = (psycopg.DataError, psycopg.IntegrityError)


class Database:
    """A small pool of connections in autocommit mode; remembers whether the last use went well."""

    def __init__(self, url: str, *, application: str, most_connections: int = 4) -> None:
        # Says why the last use failed; None while all is well.
        self.trouble: str | None = "PostgreSQL was not reached yet"
        self._pool = AsyncConnectionPool(
            url,
            kwargs=connection_options(application),
            min_size=1,
            max_size=most_connections,
            timeout=_WAIT_SECONDS,
            reconnect_timeout=_RECONNECT_SECONDS,
            open=False,
        )

    async def open(self) -> None:
        """Start connecting; returns at once, whether PostgreSQL is there or not."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self, silence_seconds: float = _SILENCE_SECONDS) -> AsyncIterator[Connection]:
        """A connection, for no longer than that; what goes wrong on it is raised as DatabaseUnavailableError, but for
        REFUSALS.
        """
        try:
            async with self._pool.connection() as connection:
                try:
                    with bounded(connection, silence_seconds):
                        yield connection
                finally:
                    if connection.broken:
                        # Its neighbours lead to the same server.
                        await self._pool.drain()
        except REFUSALS:
            self.trouble = None
            raise
        except (psycopg.Error, PoolTimeout) as error:
            self.trouble = describe(error)
            # The driver's own text repeats values of the statement: it must not reach a log or a history.
            raise DatabaseUnavailableError(self.trouble) from None
        self.trouble = None

    async def watch(self, interval_seconds: float) -> None:
        """Find out when trouble begins, also while nothing is asked, and when it ends; runs until cancelled."""
        while True:
            with suppress(DatabaseUnavailableError):
                await self._ping()
            await asyncio.sleep(interval_seconds)

    async def _ping(self) -> None:
        async with self.connection(_PING_SECONDS) as connection:
            # A table of ours: a database without the migrations is as good as none.
            await connection.execute("SELECT FROM tidegate.payment_events LIMIT 0")


@contextmanager
def bounded(connection: Connection, silence_seconds: float = _SILENCE_SECONDS) -> Iterator[None]:
    """Break the connection off when its use takes too long, as after a failover that closed nothing.

    By its socket: whoever waits on it then reads its end at once. A task that is cancelled would first ask the server
    to cancel, and wait for the answer.
    """
    is_late = False

    def break_off() -> None:
        nonlocal is_late
        is_late = True
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(silence_seconds, break_off)
    try:
        yield
    except psycopg.OperationalError:
        if is_late:
            raise _SilentError(f"no answer within {silence_seconds:g} s") from None
        raise
    finally:
        timer.cancel()


def connection_options(application: str) -> dict[str, object]:
    """How every connection of the orchestrator is made."""
    return {
        "autocommit": True,
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": application,
        "options": f"-c statement_timeout={_STATEMENT_MS}",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": _UNACKNOWLEDGED_MS,
    }


def describe(error: psycopg.Error | PoolTimeout) -> str:
    """An error in words an engineer can act on, without the values of the statement."""
    match error:
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn() | psycopg.errors.InvalidSchemaName():
            return "PostgreSQL lacks a table or column; run `python -m services.orchestrator.migrations` as the owner"
        case psycopg.errors.InsufficientPrivilege():
            return "PostgreSQL denies access; TIDEGATE_DATABASE_URL must name the role tidegate_writer"
        case _SilentError():
            return f"PostgreSQL is silent: {error}; the connection was broken off"
        case PoolTimeout():
            return f"PostgreSQL gave no connection within {_WAIT_SECONDS:g} s"
        case _:
            return f"PostgreSQL failed with {type(error).__name__}"


def reason_of(refusal: psycopg.Error) -> str:
    """Why PostgreSQL refuses a row: the constraint or the kind of error, never a value."""
    return refusal.diag.constraint_name or type(refusal).__name__
