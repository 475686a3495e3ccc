"""Reads earlier failed attempts from PostgreSQL, those before the events of many workflows in one query."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.adapters.coalescer import Coalescer
from services.orchestrator.adapters.database import REFUSALS, Database, DatabaseUnavailableError, reason_of
from workflows.errors import AttemptsUnavailableError
from workflows.payment_event.attempts import (
    FAILED,
    LOOKBACK_HOURS,
    MOST_ROWS,
    FailedEvent,
    earlier_attempts,
    failed_event,
)
from workflows.payment_event.ports import EarlierAttempts

# Most events in one query.
_BATCH: Final = 100

# Columns of payment_events in the order of FailedEvent's fields.
_COLUMNS: Final = ", ".join(field.name for field in fields(FailedEvent))
# What the query is told of each event, with its type.
_ASKED: Final = {
    "event_id": "text",
    "provider": "text",
    "livemode": "boolean",
    "provider_created_at": "timestamptz",
    "card_fingerprint": "text",
    "amount_cents": "bigint",
    "currency": "text",
    "payment_id": "text",
    "merchant_id": "text",
    "customer_id": "text",
}


def _newest(condition: str) -> str:
    """The newest failures of the event's provider and mode up to its moment, by one way to find its card."""
    return f"""(
    SELECT {_COLUMNS} FROM tidegate.payment_events AS known
    WHERE known.event_type = '{FAILED}' AND {condition}
      AND known.provider = asked.provider AND known.livemode = asked.livemode AND known.event_id <> asked.event_id
      AND known.provider_created_at <= asked.provider_created_at
      AND known.provider_created_at >= asked.provider_created_at - interval '{LOOKBACK_HOURS} hours'
    ORDER BY known.provider_created_at DESC, known.event_id DESC LIMIT {MOST_ROWS}
)"""  # noqa: S608 - conditions come from this module


_BY_CARD: Final = "known.card_fingerprint = asked.card_fingerprint"
_WAYS: Final = (
    # By itself as well: attempts for other amounts cannot crowd out those that count most.
    f"{_BY_CARD} AND known.amount_cents = asked.amount_cents AND known.currency = asked.currency",
    _BY_CARD,
    "known.payment_id = asked.payment_id",
    """known.customer_id = asked.customer_id AND known.merchant_id = asked.merchant_id
      AND (known.card_fingerprint IS NULL OR asked.card_fingerprint IS NULL)""",
)
_READ: Final = f"""
SELECT asked.number, found.*
FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in _ASKED.items())})
    WITH ORDINALITY AS asked ({", ".join(_ASKED)}, number)
CROSS JOIN LATERAL ({" UNION ".join(map(_newest, _WAYS))}) AS found
"""  # noqa: S608 - as above


class PostgresAttempts:
    """AttemptHistory over payment_events: an attempt counts once the workflow of one of its events has stored it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batches: Coalescer[FailedEvent, EarlierAttempts] = Coalescer(self._read, most_items=_BATCH)

    async def before(self, events: Sequence[UnifiedPaymentEvent]) -> Sequence[EarlierAttempts]:
        """The attempts before each event."""
        return await self._batches.submit([_asked(event) for event in events]) if events else ()

    async def _read(self, batch: Sequence[FailedEvent]) -> Sequence[EarlierAttempts]:
        known: list[list[FailedEvent]] = [[] for _ in batch]
        try:
            async with self._database.connection() as connection:
                cursor = await connection.execute(_READ, _parameters(batch))
                async for number, *columns in cursor:
                    known[number - 1].append(FailedEvent(*columns))
        except REFUSALS as error:
            raise AttemptsUnavailableError(f"PostgreSQL refuses the query: {reason_of(error)}") from None
        except DatabaseUnavailableError as error:
            raise AttemptsUnavailableError(str(error)) from None
        return [earlier_attempts(event, others) for event, others in zip(batch, known, strict=True)]


def _asked(event: UnifiedPaymentEvent) -> FailedEvent:
    try:
        return failed_event(event)
    except OverflowError:
        raise AttemptsUnavailableError("the event's time lies beyond the calendar") from None


def _parameters(batch: Sequence[FailedEvent]) -> dict[str, list[Any]]:
    return {name: [getattr(event, name) for event in batch] for name in _ASKED}
