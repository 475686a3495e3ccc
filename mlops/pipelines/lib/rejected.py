"""Keeps rows that broke a rule in bronze.rejected_rows: each once, with its personal values redacted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import And, BooleanExpression
from pyiceberg.table import Table

from mlops.pipelines.lib.columns import TIMESTAMP, Column
from mlops.pipelines.lib.filters import equal
from mlops.pipelines.lib.row_rules import Verdict
from mlops.pipelines.lib.sources import REJECTED
from mlops.pipelines.lib.tables import commit, matches, open_table, stage_rows
from mlops.pipelines.lib.trino_connection import quoted
from mlops.pipelines.lib.watermark import REJECTED_BATCH

_REDACTED: Final = "[redacted]"
_PENDING: Final = "tidegate.pending."
LET_THROUGH: Final = ":let through"
"""Ends the id of a batch, or a day, whose limit somebody set for once: its rows are known, and alarm nobody."""
UNREADABLE: Final = "readable.value"
"""In place of a rule, of what could not be read at all."""
COLUMNS: Final = (
    Column("source_table", pa.string(), "Table of bronze that the row was meant for."),
    Column("rule_id", pa.string(), "First rule of row_rules.yaml that it breaks: <rule>.<column>."),
    Column("key", pa.string(), "Its key; null where it has none."),
    Column("reason", pa.string(), "All rules that it breaks."),
    Column("row", pa.string(), "The row as JSON, with personal values redacted."),
    Column("batch_id", pa.string(), "The batch that it came with: <source>:<its end, or a day>[:let through]."),
    Column("event_day", pa.date32(), "Day of what it tells of, UTC; null where that is not known."),
    Column("rejected_at", TIMESTAMP, "When it was rejected."),
)
SCHEMA: Final = pa.schema([(column.name, column.type) for column in COLUMNS])


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rejected rows come from."""

    source: str
    key: str
    happened_at: str
    columns: Sequence[Column]


def rejected_rows(origin: Origin, verdict: Verdict, batch_id: str, now: datetime, most: int | None = None) -> pa.Table:
    """Rows of bronze.rejected_rows, at most so many; pure."""
    personal = {column.name for column in origin.columns if column.personal}
    rows = [
        {
            "source_table": origin.source,
            "rule_id": broken[0],
            "key": row.get(origin.key),
            "reason": ", ".join(broken),
            "row": json.dumps({name: _told(value, personal=name in personal) for name, value in row.items()}),
            "batch_id": batch_id,
            "event_day": _day(row.get(origin.happened_at)),
            "rejected_at": now,
        }
        for row, broken in zip(verdict.rejected.slice(0, most).to_pylist(), verdict.broken[:most], strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def open_rejected(catalog: Catalog) -> Table:
    """The table; made where there is none, so that others can build on it before a row is rejected."""
    return open_table(catalog, REJECTED, COLUMNS)


def keep(catalog: Catalog, source: str, rows: pa.Table, batch_id: str, committed: str | None) -> None:
    """Write a batch's rejected rows, before the batch itself: each once, whatever is killed when.

    `committed` is the last batch with rejected rows that the source's own table knows of. Rows of a later one are left
    from a run that ended between this commit and that, or that stopped the batch: they go, since it comes again.
    """
    table = open_rejected(catalog)
    left = table.properties.get(_PENDING + source) or None
    if left == committed and not rows.num_rows:
        return
    stale: BooleanExpression | None = None
    if left is not None and left != committed:
        stale = And(equal("source_table", source), equal("batch_id", left))
    pending = {_PENDING + source: batch_id if rows.num_rows else committed or ""}
    commit(
        table,
        lambda transaction: stage_rows(transaction, COLUMNS, rows, pending, stale),
        lambda properties: (properties.get(_PENDING + source) or None) == left,
    )


def standing(catalog: Catalog, source: str, committed: Mapping[str, str]) -> str:
    """Trino's SQL for `key` and `event_day` of what was rejected of a source's committed batches.

    `committed` are the properties of the source's table. Rows of a batch that was stopped, or whose ingest was killed,
    lie behind the watermark that they name, and are left out.
    """
    table = open_rejected(catalog)
    pending = table.properties.get(_PENDING + source) or ""
    left_out = "" if pending == committed.get(REJECTED_BATCH, "") else f" AND batch_id <> {quoted(pending)}"
    snapshot = table.current_snapshot()
    state = f"{REJECTED} FOR VERSION AS OF {snapshot.snapshot_id}" if snapshot else REJECTED
    return f"SELECT key, event_day FROM {state} WHERE source_table = {quoted(source)}{left_out}"  # noqa: S608 - quoted


def forget(catalog: Catalog, source: str) -> None:
    """Remove all that was rejected of a source."""
    table = open_rejected(catalog)
    if table.current_snapshot() is None:
        return
    none = SCHEMA.empty_table()
    of_source = equal("source_table", source)
    commit(
        table,
        lambda transaction: stage_rows(transaction, COLUMNS, none, {_PENDING + source: ""}, of_source),
        lambda _: True,
    )


def replace_day(catalog: Catalog, source: str, rows: pa.Table, day: date) -> None:
    """Put the rejected rows of one day in the place of those that are there, however often it is tried."""
    table, of_day = open_rejected(catalog), And(equal("source_table", source), equal("event_day", day.isoformat()))
    if rows.num_rows or matches(table, of_day):
        commit(table, lambda transaction: stage_rows(transaction, COLUMNS, rows, {}, of_day), lambda _: True)


def _told(value: Any, *, personal: bool) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return _REDACTED if personal and value is not None else value
    if personal:
        return _REDACTED
    return [_told(each, personal=False) for each in value] if isinstance(value, list) else str(value)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.astimezone(UTC).date()


def told_counts(counts: Mapping[str, int]) -> str:
    """Rules with how many rows broke each, for people."""
    return ", ".join(f"{rule_id} {count:,}" for rule_id, count in counts.items())
