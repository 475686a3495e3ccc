"""Reads what became of events, and writes findings, as the role tidegate_monitor."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, Self

import psycopg
from google.protobuf.timestamp_pb2 import Timestamp
from psycopg import sql
from psycopg.types.json import Jsonb
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse
from tidegate.ingress.v1.receipt_pb2 import Provider
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass, UnifiedPaymentEvent

from mlops.features.facts import payment_fact, score_fact
from mlops.monitoring.performance import After, Known
from mlops.monitoring.ports import UnavailableError
from mlops.monitoring.replay import Arrival
from mlops.monitoring.rows import Row

_CONNECT_SECONDS: Final = 10
_EVENTS_AT_ONCE: Final = 5_000
_ROWS_AT_ONCE: Final = 5_000
_MILLION: Final = 1_000_000

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


# What facts are made of, by the names that columns and contracts share.
_OF_EVENTS: Final = (
    "event_id",
    "provider",
    "merchant_id",
    "customer_id",
    "card_fingerprint",
    "payment_id",
    "provider_object_id",
    "event_type",
    "amount_cents",
    "currency",
    "decline_class",
    "provider_created_at",
    "processed_at",
)
_OF_SCORES: Final = (
    "event_id",
    "payment_id",
    "merchant_id",
    "customer_id",
    "amount_cents",
    "currency",
    "fraud_probability",
    "decided_at",
)
_EVENTS: Final = "SELECT {} FROM tidegate.payment_events WHERE processed_at < %s ORDER BY processed_at"
_SCORES: Final = """
    SELECT {} FROM tidegate.decisions WHERE fraud_probability IS NOT NULL AND decided_at < %s ORDER BY decided_at
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
                    known[event_id] = None if at is None else After(round(at.timestamp() * _MILLION), succeeded)
        return known

    def events(self, before_us: int) -> Iterator[Arrival]:
        """The facts of events that arrived before a moment, in order."""
        return map(_event, self._rows("events", _EVENTS, _OF_EVENTS, before_us))

    def scores(self, before_us: int) -> Iterator[Arrival]:
        """The same of fraud scores."""
        return map(_score, self._rows("scores", _SCORES, _OF_SCORES, before_us))

    def _rows(
        self, name: str, query: LiteralString, columns: Sequence[str], before_us: int
    ) -> Iterator[dict[str, Any]]:
        """Without what is null; a few at a time."""
        before = datetime.fromtimestamp(before_us / _MILLION, UTC)
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        with _told(), self._connection.cursor(name, withhold=True) as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            for row in cursor.execute(sql.SQL(query).format(listed), [before]):
                yield {column: value for column, value in zip(columns, row, strict=True) if value is not None}

    def write(self, rows: Iterable[Row]) -> int:
        """Write rows, each in the place of the one of the same key; all of them or none. Returns how many."""
        by_table: dict[type[Row], list[Row]] = {}
        for row in rows:
            by_table.setdefault(type(row), []).append(row)
        with _told(), self._connection.transaction(), self._connection.cursor() as cursor:
            for kind, of_kind in by_table.items():
                cursor.executemany(_upsert(kind), [_parameters(row) for row in of_kind])
        return sum(map(len, by_table.values()))


def _event(row: dict[str, Any]) -> Arrival:
    enums = {"provider": Provider.Value(f"PROVIDER_{row['provider'].upper()}")}
    if "decline_class" in row:
        enums["decline_class"] = DeclineClass.Value(f"DECLINE_CLASS_{row['decline_class'].upper()}")
    times = {name: _timestamp(row[name]) for name in ("provider_created_at", "processed_at")}
    fact = payment_fact(UnifiedPaymentEvent(**{**row, **enums, **times}))
    return Arrival(fact.arrived_at_us, fact)


def _score(row: dict[str, Any]) -> Arrival:
    fraud = ScoreResponse(fraud_probability=row.pop("fraud_probability"))
    decided_at = _timestamp(row.pop("decided_at"))
    fact = score_fact(PaymentDecision(**row, fraud=fraud, decided_at=decided_at))
    if fact is None:
        raise AssertionError("a decision with a fraud score states a fact")
    return Arrival(fact.arrived_at_us, fact)


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp


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
