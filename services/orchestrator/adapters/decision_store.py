"""Stores events, decisions and outbox rows in PostgreSQL: one statement, one transaction, many workflows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from tidegate.decisions.v1.payment_decision_pb2 import DecisionAction

from services.orchestrator.adapters.batch_insert import BatchInsert, Keyed, Outcome, refuse
from services.orchestrator.adapters.database import Database, DatabaseUnavailableError
from services.orchestrator.rows import (
    DECISION_COLUMNS,
    EVENT_COLUMNS,
    OUTBOX_COLUMNS,
    Row,
    action_name,
    decision_row,
    event_row,
    outbox_row,
)
from services.runtime import contract
from services.runtime.errors import ContractViolationError
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.metrics import counter, histogram
from services.runtime.telemetry import outgoing_trace
from workflows.errors import StorageUnavailableError
from workflows.payment_event.contract import (
    PERSIST_OUTCOME_DUPLICATE,
    PERSIST_OUTCOME_STORED,
    PersistDecisionInput,
    PersistDecisionResult,
)
from workflows.storage import Refused

_EVENT, _DECISION, _OUTBOX = (", ".join(columns) for columns in (EVENT_COLUMNS, DECISION_COLUMNS, OUTBOX_COLUMNS))

# The event's primary key decides: a decision gets in only with an event that this statement inserts. Rows go in by
# event_id, so that two processes with the same events wait for each other instead of deadlocking.
_PERSIST: Final = f"""
WITH stored AS (
    INSERT INTO tidegate.payment_events ({_EVENT})
    SELECT {_EVENT} FROM json_populate_recordset(NULL::tidegate.payment_events, %(events)s::json) ORDER BY event_id
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
), decided AS (
    INSERT INTO tidegate.decisions ({_DECISION})
    SELECT {_DECISION} FROM json_populate_recordset(NULL::tidegate.decisions, %(decisions)s::json)
    JOIN stored USING (event_id)
), queued AS (
    INSERT INTO tidegate.decision_outbox ({_OUTBOX})
    SELECT {_OUTBOX} FROM json_populate_recordset(NULL::tidegate.decision_outbox, %(outbox)s::json)
    JOIN stored USING (event_id)
)
SELECT event_id FROM stored
"""  # noqa: S608 - columns come from tables in the code
# A statement of its own: what another process committed while _PERSIST waited for it is not in _PERSIST's snapshot.
_ACTIONS: Final = "SELECT event_id, action, degraded FROM tidegate.decisions WHERE event_id = ANY (%s)"


@dataclass(frozen=True, slots=True)
class _Rows:
    """What one record is in the three tables."""

    event: Row
    decision: Row
    outbox: Row


class PostgresDecisionStore:
    """A DecisionStore that writes what all workflows of this process have at hand in one transaction."""

    def __init__(self, database: Database, *, batch_rows: int, stored: Callable[[], None] = lambda: None) -> None:
        """`stored` is called after each transaction: there is something to publish."""
        self._database = database
        self._stored = stored
        self._batches: BatchInsert[_Rows] = BatchInsert(self._insert, most_rows=batch_rows)

    async def persist(self, records: Sequence[PersistDecisionInput]) -> Sequence[PersistDecisionResult | Refused]:
        """Store all records but those refused; a record whose event is there already is a duplicate."""
        outcomes = await self._batches.submit([_prepare(record) for record in records])
        _count(records, outcomes)
        ids = [record.decision.event_id for record in records]
        before = await self._stored_before(
            [event_id for event_id, outcome in zip(ids, outcomes, strict=True) if outcome == PERSIST_OUTCOME_DUPLICATE]
        )
        return [_result(record, outcome, before) for record, outcome in zip(records, outcomes, strict=True)]

    async def _stored_before(self, event_ids: Sequence[str]) -> Mapping[str, PersistDecisionResult]:
        """What was decided on these events when they were stored. StorageUnavailableError."""
        if not event_ids:
            return {}
        try:
            async with self._database.connection() as connection:
                cursor = await connection.execute(_ACTIONS, [event_ids])
                rows = await cursor.fetchall()
        except DatabaseUnavailableError as error:
            raise StorageUnavailableError(str(error)) from None
        return {event_id: _before(action, degraded=degraded) for event_id, action, degraded in rows}

    async def _insert(self, batch: Sequence[_Rows]) -> set[str]:
        parameters = {
            "events": _json([rows.event for rows in batch]),
            "decisions": _json([rows.decision for rows in batch]),
            "outbox": _json([rows.outbox for rows in batch]),
        }
        async with self._database.connection() as connection:
            cursor = await connection.execute(_PERSIST, parameters)
            new = {event_id for (event_id,) in await cursor.fetchall()}
        histogram("tidegate_persist_batch_rows").observe(len(batch))
        self._stored()
        return new


def _prepare(record: PersistDecisionInput) -> Keyed[_Rows] | Refused:
    decision = record.decision
    headers = {EVENT_ID: decision.event_id, RECEIPT_ID: decision.receipt_id, **outgoing_trace()}
    try:
        contract.check(decision)
        rows = _Rows(event_row(record.event), decision_row(decision), outbox_row(decision, headers))
    except ContractViolationError as error:
        return refuse(decision.event_id, ", ".join(sorted({rule.rule_id for rule in error.broken})))
    except (ValueError, KeyError) as error:
        # A timestamp beyond year 9999, an enum's number that this version has no word for.
        return refuse(decision.event_id, f"no row can hold it: {type(error).__name__}")
    return Keyed(decision.event_id, rows)


def _result(
    record: PersistDecisionInput, outcome: Outcome, before: Mapping[str, PersistDecisionResult]
) -> PersistDecisionResult | Refused:
    if isinstance(outcome, Refused):
        return outcome
    if outcome == PERSIST_OUTCOME_DUPLICATE:
        return before.get(record.decision.event_id) or PersistDecisionResult(outcome=outcome)
    return PersistDecisionResult(outcome=outcome, action=record.decision.action, degraded=record.decision.degraded)


def _before(action: str, *, degraded: bool) -> PersistDecisionResult:
    return PersistDecisionResult(outcome=PERSIST_OUTCOME_DUPLICATE, action=action_name(action), degraded=degraded)


def _json(rows: Sequence[Row]) -> str:
    return orjson.dumps(rows).decode()


def _count(records: Sequence[PersistDecisionInput], outcomes: Sequence[Outcome]) -> None:
    for record, outcome in zip(records, outcomes, strict=True):
        if outcome == PERSIST_OUTCOME_STORED:
            action = DecisionAction.Name(record.decision.action).removeprefix("DECISION_ACTION_").lower()
            counter("tidegate_decisions_total").labels(action, str(record.decision.degraded).lower()).inc()
