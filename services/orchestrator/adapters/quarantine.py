"""Keeps failures in PostgreSQL for review, those of many workflows in one transaction."""

from collections.abc import Sequence
from typing import Final

import orjson
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from services.orchestrator.adapters.batch_insert import BatchInsert, Keyed, Outcome, refuse
from services.orchestrator.adapters.database import Database
from services.orchestrator.rows import QUARANTINE_COLUMNS, Row, quarantine_row
from workflows.storage import Refused

_COLUMNS = ", ".join(QUARANTINE_COLUMNS)
_KEEP: Final = f"""
INSERT INTO tidegate.quarantine ({_COLUMNS})
SELECT {_COLUMNS} FROM json_populate_recordset(NULL::tidegate.quarantine, %(failures)s::json) ORDER BY event_id
ON CONFLICT (event_id) DO NOTHING
RETURNING event_id
"""  # noqa: S608 - columns come from tables in the code


class PostgresQuarantine:
    """A Quarantine in the table of that name."""

    def __init__(self, database: Database, *, batch_rows: int) -> None:
        self._database = database
        self._batches: BatchInsert[Row] = BatchInsert(self._insert, most_rows=batch_rows)

    async def keep(self, failures: Sequence[ValidationFailure]) -> Sequence[Outcome]:
        """Keep all; the first failure of an event stays."""
        return await self._batches.submit([_prepare(failure) for failure in failures])

    async def _insert(self, batch: Sequence[Row]) -> set[str]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_KEEP, {"failures": orjson.dumps(batch).decode()})
            return {event_id for (event_id,) in await cursor.fetchall()}


def _prepare(failure: ValidationFailure) -> Keyed[Row] | Refused:
    try:
        row = quarantine_row(failure)
    except (ValueError, KeyError) as error:
        return refuse(failure.event_id, f"no row can hold it: {type(error).__name__}")
    return Keyed(row["event_id"], row)
