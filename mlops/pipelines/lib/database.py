"""Reads tables of PostgreSQL in one snapshot, in the order they were stored, a bounded number of rows at a time."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql
from pyarrow import csv

from mlops.pipelines.lib.catalog import LakeUnavailableError
from mlops.pipelines.lib.columns import INGESTED_AT, STORED_XID, Column, StoredColumn
from mlops.pipelines.lib.postgresql import ALIVE
from mlops.pipelines.lib.sources import Source
from mlops.pipelines.lib.watermark import Watermark

# Reading holds back vacuum on the whole database: an ingest that hangs must not do so for ever.
_SESSION: Final = """
    SET TIME ZONE 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 1; SET work_mem = '64MB';
    SET idle_in_transaction_session_timeout = '15min'; SET lock_timeout = '10s'
"""
_COLUMNS: Final = """
    SELECT attname, format_type(atttypid, atttypmod), coalesce(col_description(attrelid, attnum), '')
    FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_IS_PRIMARY_KEY: Final = """
    SELECT count(*) > 0 FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE indrelid = %s::regclass AND indisprimary AND indnatts = 1 AND attname = %s
"""


class IngestRunningError(Exception):
    """Somebody else ingests the same table now; nothing was done."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """Where a snapshot ends: what transactions below `xmin` stored is all there, and nothing will be added to it."""

    xmin: int
    xmax: int


class Database:
    """One transaction that reads, in one snapshot; to be used as a context manager."""

    def __init__(self, url: str) -> None:
        with _told():
            self._connection = psycopg.connect(url, **ALIVE, autocommit=True)
            self._connection.execute(_SESSION)
            self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def take_turn(self, source: str) -> None:
        """Keep others from ingesting the same table until this is closed; IngestRunningError where one does."""
        query = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
        if not self._one(query, f"tidegate.lake.{source}"):
            raise IngestRunningError(f"{source} is being ingested already: wait for the end of that run")

    def identity(self) -> str:
        """Which database this is: transaction ids mean something in that one alone."""
        with _told():
            row = self._connection.execute(
                "SELECT system_identifier, oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
            ).fetchone()
        return "/".join(map(str, row or ()))

    def frontier(self) -> Frontier:
        """The ends of this transaction's snapshot."""
        with _told():
            row = self._connection.execute(
                "SELECT pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text FROM pg_current_snapshot() AS s"
            ).fetchone()
        xmin, xmax = row or (0, 0)
        return Frontier(int(xmin), int(xmax))

    def columns(self, table: str) -> Sequence[StoredColumn]:
        """What PostgreSQL says of a table's columns."""
        with _told():
            return [StoredColumn(*row) for row in self._connection.execute(_COLUMNS, [f"tidegate.{table}"])]

    def keeps_unique(self, source: Source) -> bool:
        """Whether the key is the table's primary key."""
        return bool(self._one(_IS_PRIMARY_KEY, f"tidegate.{source.name}", source.key))

    def rows_after(
        self, source: Source, columns: Sequence[Column], after: Watermark, until_xid: int, rows_at_once: int
    ) -> Iterator[tuple[pa.Table, Watermark]]:
        """Rows that transactions below `until_xid` stored, from behind a watermark on, with the new watermark each.

        As Arrow tables of at most so many rows.
        """
        # Says so that the index, which holds these alone, can be used; what is older is read by a scan, once.
        indexed: sql.Composable = sql.SQL("stored_xid > '0' AND stored_xid >= {}::text::xid8").format(str(after.xid))
        query = sql.SQL("stored_xid < {until}::text::xid8 AND {indexed} AND {position} > ({xid}::text::xid8, {key})")
        condition = query.format(
            until=str(until_xid),
            indexed=indexed if after.xid else sql.SQL("true"),
            position=_position(source),
            xid=str(after.xid),
            key=after.key,
        )
        for rows in self._copied(source, columns, condition, rows_at_once):
            last = rows.num_rows - 1
            mark = Watermark(int(rows[STORED_XID][last].as_py()), rows[source.key][last].as_py() or "")
            yield rows.drop_columns([STORED_XID]), mark

    def rows_of_day(self, source: Source, columns: Sequence[Column], day: date, until: Watermark) -> pa.Table:
        """All rows of one day, up to and with the watermark. There is no index for it: the table is scanned."""
        condition = sql.SQL(
            "{at} >= {day}::date AND {at} < {day}::date + 1 AND {position} <= ({xid}::text::xid8, {key})"
        ).format(
            at=sql.Identifier(source.happened_at),
            day=day.isoformat(),
            position=_position(source),
            xid=str(until.xid),
            key=until.key,
        )
        found = [rows.drop_columns([STORED_XID]) for rows in self._copied(source, columns, condition, 100_000)]
        return pa.concat_tables(found) if found else _read([], _stored_only(columns, self.columns(source.name)))

    def all_rows(self, table: str, columns: Sequence[Column]) -> pa.Table:
        """Everything a small table holds."""
        stored = self.columns(table)
        query = sql.SQL("COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT csv)").format(
            columns=_selected(_stored_only(columns, stored), stored), table=sql.Identifier("tidegate", table)
        )
        with _told(), self._connection.cursor() as cursor, cursor.copy(query) as copy:
            return _read([bytes(line) for line in copy], _stored_only(columns, stored))

    def state_of(self, table: str) -> str:
        """Changes with every write to a table that has `computed_at`: how many rows, and when the last was written."""
        query = sql.SQL("SELECT count(*), max(computed_at) FROM {}").format(sql.Identifier("tidegate", table))
        with _told():
            row = self._connection.execute(query).fetchone()
        count, newest = row or (0, None)
        return f"{count} rows, {newest.isoformat() if newest else 'never written'}"

    def _copied(
        self, source: Source, columns: Sequence[Column], condition: sql.Composable, rows_at_once: int
    ) -> Iterator[pa.Table]:
        stored = self.columns(source.name)
        read = [*_stored_only(columns, stored), Column(STORED_XID, pa.string())]
        query = sql.SQL(
            "COPY (SELECT {columns} FROM {table} WHERE {condition} ORDER BY stored_xid, {key}) TO STDOUT (FORMAT csv)"
        ).format(
            columns=_selected(read, stored),
            table=sql.Identifier("tidegate", source.name),
            condition=condition,
            key=_tie_breaker(source),
        )
        with _told(), self._connection.cursor() as cursor, cursor.copy(query) as copy:
            lines: list[bytes] = []
            for line in copy:  # libpq gives each row by itself
                lines.append(bytes(line))
                if len(lines) == rows_at_once:
                    yield _read(lines, read)
                    lines = []
            if lines:
                yield _read(lines, read)

    def _one(self, query: str, *parameters: str) -> object:
        with _told():
            row = self._connection.execute(query.encode(), parameters).fetchone()
        return row[0] if row else None


def _position(source: Source) -> sql.Composable:
    return sql.SQL("(stored_xid, {})").format(_tie_breaker(source))


def _tie_breaker(source: Source) -> sql.Composable:
    """In an order that no locale changes. A key is null only where somebody took the primary key away."""
    return sql.SQL("coalesce({}, '') COLLATE \"C\"").format(sql.Identifier(source.key))


def _stored_only(columns: Sequence[Column], stored: Sequence[StoredColumn]) -> list[Column]:
    names = {column.name for column in stored}
    return [column for column in columns if column.name in names and column.name != INGESTED_AT]


_CASTS: Final = {pa.int32(): "integer", pa.int64(): "bigint", pa.float32(): "real", pa.float64(): "double precision"}


def _selected(columns: Sequence[Column], stored: Sequence[StoredColumn]) -> sql.Composable:
    types = {column.name: column.type for column in stored}
    return sql.SQL(", ").join(_expression(column, types[column.name]) for column in columns)


def _expression(column: Column, stored_type: str) -> sql.Composable:
    name = sql.Identifier(column.name)
    if stored_type.endswith("[]"):
        return sql.SQL("array_to_json({})").format(name)
    cast = _CASTS.get(column.type)
    return sql.SQL("{}::{}").format(name, sql.SQL(cast)) if cast else name


def _read(lines: Sequence[bytes], columns: Sequence[Column]) -> pa.Table:
    """Lines of COPY's CSV as Arrow. It tells null from empty by quotes, and so does the reader."""
    names = [column.name for column in columns]
    if not lines:
        return pa.schema([(column.name, column.type) for column in columns]).empty_table()
    lists = {column.name: column.type for column in columns if pa.types.is_list(column.type)}
    read = csv.read_csv(
        io.BytesIO(b"".join(lines)),
        read_options=csv.ReadOptions(column_names=names, block_size=1 << 24),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={column.name: pa.string() if column.name in lists else column.type for column in columns},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    for name, kind in lists.items():
        read = read.set_column(names.index(name), name, _lists(read[name], kind))
    return read


def _lists(texts: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """JSON lists as lists: each different text is decoded once, for there are few."""
    encoded = pc.dictionary_encode(texts.combine_chunks())
    decoded = pa.array([json.loads(text) for text in encoded.dictionary.to_pylist()], kind)
    return decoded.take(encoded.indices)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the driver raises into words for whoever runs the ingest."""
    try:
        yield
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable) as error:
        raise LakeUnavailableError(
            f"PostgreSQL: {_first_line(error)}; run `python -m services.orchestrator.migrations` as tidegate_owner"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise LakeUnavailableError(
            f"PostgreSQL: {_first_line(error)}; TIDEGATE_DATABASE_URL has to be that of tidegate_lake "
            "(`python -m stack env lake` prints it)"
        ) from error
    except psycopg.Error as error:
        raise LakeUnavailableError(
            f"PostgreSQL: {_first_line(error)}; TIDEGATE_DATABASE_URL says where it is, and as whom to come"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
