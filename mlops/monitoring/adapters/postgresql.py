"""Reads what became of events, and writes findings, as the role tidegate_monitor."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Final, Self

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from mlops.monitoring.performance import After, Known
from mlops.monitoring.ports import UnavailableError
from mlops.monitoring.rows import Row

_CONNECT_SECONDS: Final = 10
_EVENTS_AT_ONCE: Final = 5_000

# The first thing of note after each event. Two events about one failed attempt lie up to 5 s apart (ADR 0007).
_FIRST_AFTER: Final[Mapping[str, str]] = {
    "fraud": """later.payment_id = asked.payment_id
        AND later.event_type = 'dispute.created' AND later.reason = 'fraudulent'""",
    "retry": """later.payment_id = asked.payment_id
        AND later.event_type IN ('payment.succeeded', 'payment.captured', 'payment.failed')
        AND later.provider_created_at > asked.provider_created_at + interval '5 seconds'""",
    "churn": """later.merchant_id = asked.merchant_id AND later.customer_id = asked.customer_id
        AND later.event_type IN ('payment.succeeded', 'payment.captured')
        AND later.payment_id <> asked.payment_id
        AND later.provider_created_at > asked.provider_created_at""",
}
_QUERY: Final = """
    SELECT asked.event_id, first.provider_created_at, first.event_type <> 'payment.failed'
    FROM tidegate.payment_events AS asked
    LEFT JOIN LATERAL (
        SELECT later.provider_created_at, later.event_type FROM tidegate.payment_events AS later
        WHERE {} ORDER BY later.provider_created_at LIMIT 1
    ) AS first ON true
    WHERE asked.event_id = ANY(%s)
"""


class Findings:
    """One connection. UnavailableError where the database is away or refuses."""

    def __init__(self, url: str) -> None:
        with _told():
            self._connection = psycopg.connect(url, connect_timeout=_CONNECT_SECONDS, autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def first_after(self, question: str, event_ids: Sequence[str]) -> Known:
        """What came first after each of these events that bears on the question."""
        query = sql.SQL(_QUERY).format(sql.SQL(_FIRST_AFTER[question]))
        known: dict[str, After | None] = {}
        with _told():
            for start in range(0, len(event_ids), _EVENTS_AT_ONCE):
                found = self._connection.execute(query, [list(event_ids[start : start + _EVENTS_AT_ONCE])])
                for event_id, at, succeeded in found:
                    known[event_id] = None if at is None else After(round(at.timestamp() * 1_000_000), succeeded)
        return known

    def write(self, rows: Iterable[Row]) -> int:
        """Write rows, each in the place of the one of the same key; all of them or none. Returns how many."""
        by_table: dict[type[Row], list[Row]] = {}
        for row in rows:
            by_table.setdefault(type(row), []).append(row)
        with _told(), self._connection.transaction(), self._connection.cursor() as cursor:
            for kind, of_kind in by_table.items():
                cursor.executemany(_upsert(kind), [_parameters(row) for row in of_kind])
        return sum(map(len, by_table.values()))


def _upsert(kind: type[Row]) -> sql.Composed:
    names = [field.name for field in fields(kind)]
    changed = [name for name in names if name not in kind.KEY]
    return sql.SQL(
        "INSERT INTO tidegate.{table} ({columns}) VALUES ({values}) ON CONFLICT ({key}) DO UPDATE SET {changes}"
    ).format(
        table=sql.Identifier(kind.TABLE),
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(map(sql.Placeholder, names)),
        key=sql.SQL(", ").join(map(sql.Identifier, kind.KEY)),
        changes=sql.SQL(", ").join(
            [
                *(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
                sql.SQL("computed_at = now()"),
            ]
        ),
    )


def _parameters(row: Row) -> Mapping[str, Any]:
    return {field.name: _plain(getattr(row, field.name)) for field in fields(row)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Jsonb(dict(value))
    return list(value) if isinstance(value, tuple) else value


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the driver raises into words for whoever runs the job."""
    try:
        yield
    except psycopg.errors.UndefinedTable as error:
        raise UnavailableError(
            f"{_first_line(error)}; run `python -m services.orchestrator.migrations` as tidegate_owner"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise UnavailableError(
            f"PostgreSQL: {_first_line(error)}; TIDEGATE_DATABASE_URL has to be that of tidegate_monitor "
            "(`python -m stack env monitor` prints it)"
        ) from error
    except psycopg.Error as error:
        raise UnavailableError(
            f"PostgreSQL: {_first_line(error)}; TIDEGATE_DATABASE_URL says where it is, and as whom to come"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
