"""Writes rows of many workflows in one statement; finds those that PostgreSQL refuses without holding up the others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tidegate.review.v1.payment_event_pb2 import PERSIST_OUTCOME_DUPLICATE, PERSIST_OUTCOME_STORED, PersistOutcome

from services.orchestrator.adapters.coalescer import Coalescer
from services.orchestrator.adapters.database import REFUSALS, DatabaseUnavailableError, reason_of
from services.runtime.telemetry import logger
from workflows.errors import StorageUnavailableError
from workflows.storage import Refused

log = logger(__name__)

Outcome = PersistOutcome | Refused
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Keyed(Generic[R]):
    """A row with its primary key."""

    event_id: str
    row: R


class BatchInsert(Generic[R]):
    """Inserts rows whose primary key is an event_id; a row whose key is there already is a duplicate."""

    def __init__(self, insert: Callable[[Sequence[R]], Awaitable[set[str]]], *, most_rows: int) -> None:
        """`insert` writes rows in one transaction, tells the keys that were new, and raises what PostgreSQL says."""
        self._insert = insert
        self._batches: Coalescer[Keyed[R], Outcome] = Coalescer(self._write_all, most_items=most_rows)

    async def submit(self, rows: Sequence[Keyed[R] | Refused]) -> Sequence[Outcome]:
        """What became of each row, in their order; what was refused before stays so. StorageUnavailableError."""
        fit = [row for row in rows if not isinstance(row, Refused)]
        try:
            outcomes = iter(await self._batches.submit(fit) if fit else ())
        except DatabaseUnavailableError as error:
            raise StorageUnavailableError(str(error)) from None
        return [row if isinstance(row, Refused) else next(outcomes) for row in rows]

    async def _write_all(self, batch: Sequence[Keyed[R]]) -> Sequence[Outcome]:
        # A redelivered activity can meet its first attempt in one batch.
        first: dict[str, Keyed[R]] = {}
        for row in batch:
            first.setdefault(row.event_id, row)
        outcomes = await self._write(list(first.values()))
        return [_outcome(outcomes[row.event_id], repeated=first[row.event_id] is not row) for row in batch]

    async def _write(self, batch: Sequence[Keyed[R]]) -> dict[str, Outcome]:
        """Write one batch; when PostgreSQL refuses it, find by halves what it refuses."""
        try:
            new = await self._insert([row.row for row in batch])
        except REFUSALS as refusal:
            if len(batch) == 1:
                return {batch[0].event_id: refuse(batch[0].event_id, reason_of(refusal))}
            middle = len(batch) // 2
            return {**await self._write(batch[:middle]), **await self._write(batch[middle:])}
        return {
            row.event_id: PERSIST_OUTCOME_STORED if row.event_id in new else PERSIST_OUTCOME_DUPLICATE for row in batch
        }


def refuse(event_id: str, reason: str) -> Refused:
    """Say in the log which record cannot be stored, and why."""
    log.error("persist.failed", event_id=event_id, reason=reason)
    return Refused(reason)


def _outcome(outcome: Outcome, *, repeated: bool) -> Outcome:
    return PERSIST_OUTCOME_DUPLICATE if repeated and outcome == PERSIST_OUTCOME_STORED else outcome
