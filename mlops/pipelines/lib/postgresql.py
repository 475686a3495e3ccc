"""Connects to PostgreSQL to read some of it, and waits for nothing without end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from mlops.pipelines.lib.unavailable import LakeUnavailableError

# A server that is gone without a word is missed after a minute; the system's own patience is two hours.
ALIVE: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
# As long as Trino may work on a query. Nobody waits for a lock that a migration holds.
_SESSION: Final = "SET TIME ZONE 'UTC'; SET statement_timeout = '30min'; SET lock_timeout = '10s'"


@contextmanager
def reading(url: str) -> Iterator[psycopg.Connection]:
    """A connection; LakeUnavailableError, whose words hold no password."""
    try:
        with psycopg.connect(url, **ALIVE) as connection:
            connection.execute(_SESSION)
            yield connection
    except psycopg.Error as error:
        first_line = str(error).strip().partition("\n")[0]
        raise LakeUnavailableError(f"PostgreSQL: {first_line}; TIDEGATE_DATABASE_URL says where it is") from error
