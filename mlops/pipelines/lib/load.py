"""Loads a history's events straight into PostgreSQL, so that a lake has something to show without a gateway."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg import sql
from pyarrow import csv

from mlops.features.event_rows import COLUMNS, HISTORY_FILE

_ROWS_AT_ONCE: Final = 50_000
BREAKABLE: Final = ("merchant_id", "payment_id", "status")
"""Columns that PostgreSQL takes empty and the lake does not."""
_LAST_ROWS: Final = 0.05
_KNOWN: Final = "SELECT event_id FROM tidegate.payment_events WHERE event_id = ANY(%s)"


class HistoryError(Exception):
    """A folder holds no history that can be loaded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did: rows of the history, and those of them that were new."""

    rows: int
    stored: int


def load_events(folder: Path, database_url: str, rows_at_once: int = _ROWS_AT_ONCE) -> Iterator[Loaded]:
    """Load a history as the role tidegate_writer, a transaction for each so many rows; tells after each how far it is.

    Loading it again changes nothing.
    """
    rows = stored = 0
    with psycopg.connect(database_url, connect_timeout=10) as connection:
        for batch in history_batches(folder, rows_at_once):
            stored += _store(connection, batch)
            rows += batch.num_rows
            yield Loaded(rows, stored)


def load_broken(folder: Path, database_url: str, count: int) -> int:
    """Load `broken_rows` of a history; tells how many were new. Loading them again changes nothing."""
    with psycopg.connect(database_url, connect_timeout=10) as connection:
        return _store(connection, broken_rows(folder, count))


def broken_rows(folder: Path, count: int) -> pa.RecordBatch:
    """So many rows of a history's end under ids of their own, each without one thing that the lake requires."""
    rows = pq.read_table(folder / HISTORY_FILE, columns=list(COLUMNS))
    step = max(1, int(len(rows) * _LAST_ROWS) // count)
    places = range(max(0, len(rows) - step * count), len(rows), step)
    broken = [
        {**event, "event_id": f"{event['event_id']}_broken", BREAKABLE[number % len(BREAKABLE)]: ""}
        for number, event in enumerate(rows.take(pa.array(places, pa.int64())).to_pylist())
    ]
    return pa.RecordBatch.from_pylist(broken, schema=rows.schema)


def history_batches(folder: Path, rows_at_once: int) -> Iterator[pa.RecordBatch]:
    """A history's rows, in order of arrival. HistoryError where there are none."""
    file = folder / HISTORY_FILE
    if not file.exists():
        raise HistoryError(f"{file} is not there; write one with `python -m services.simulator --history {folder}`")
    history = pq.ParquetFile(file)
    if missing := sorted(set(COLUMNS) - set(history.schema_arrow.names)):
        raise HistoryError(f"{file} lacks {', '.join(missing)}: it is of another version; write it again")
    yield from history.iter_batches(rows_at_once, columns=list(COLUMNS))


def _store(connection: psycopg.Connection, batch: pa.RecordBatch) -> int:
    """COPY takes no rows that are there already: they are left out before. The writer may make no table to copy to."""
    with connection.transaction(), connection.cursor() as cursor:
        known = [row[0] for row in cursor.execute(_KNOWN, [batch.column("event_id").to_pylist()])]
        new = batch.filter(pc.invert(pc.is_in(batch.column("event_id"), value_set=pa.array(known, pa.string()))))
        columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        query = sql.SQL("COPY tidegate.payment_events ({}) FROM STDIN (FORMAT csv)").format(columns)
        with cursor.copy(query) as copy:
            copy.write(_as_csv(new, COLUMNS))
    return int(new.num_rows)


def _as_csv(batch: pa.RecordBatch, names: Sequence[str]) -> bytes:
    """CSV as COPY reads it: null is nothing, text stands in quotes."""
    out = io.BytesIO()
    arrays = [_plain(batch.column(name)) for name in names]
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    csv.write_csv(pa.Table.from_arrays(arrays, names=list(names)), out, options)
    return out.getvalue()


def _plain(values: pa.Array) -> pa.Array:
    if pa.types.is_map(values.type):
        return pa.array([json.dumps(dict(pairs)) if pairs is not None else None for pairs in values.to_pylist()])
    return values
