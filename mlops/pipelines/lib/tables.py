"""Commits to tables of Iceberg: rows and what was read with them in one commit, or neither."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, NoSuchTableError
from pyiceberg.expressions import BooleanExpression
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.table import Table, TableProperties, Transaction
from pyiceberg.table.metadata import TableMetadata

from mlops.pipelines.lib.columns import Column
from mlops.pipelines.lib.schema import evolve, iceberg_schema, partitioned_by_day
from mlops.pipelines.lib.sources import NAMESPACE

PROPERTIES: Final = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # A commit reads the list of manifests: kept short, it costs the same at every snapshot.
    TableProperties.MANIFEST_MERGE_ENABLED: "true",
    TableProperties.MANIFEST_MIN_MERGE_COUNT: "20",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
_ATTEMPTS: Final = 5

Stage = Callable[[Transaction], None]
Judge = Callable[[Mapping[str, str]], bool]


class SupersededError(Exception):
    """Another writer has moved the table on since its state was read; nothing of this was written."""


def open_table(catalog: Catalog, name: str, columns: Sequence[Column], day_of: str | None = None) -> Table:
    """The table, made where there is none: partitioned by the day of a column where one is named."""
    try:
        return catalog.load_table(name)
    except NoSuchTableError:
        catalog.create_namespace_if_not_exists(NAMESPACE)
        schema = iceberg_schema(columns)
        spec = partitioned_by_day(schema, day_of) if day_of else UNPARTITIONED_PARTITION_SPEC
        return catalog.create_table_if_not_exists(name, schema, partition_spec=spec, properties=PROPERTIES)


def commit(table: Table, stage: Stage, follows: Judge, has_landed: Judge = lambda _: False) -> Table:
    """Commit what `stage` puts into a transaction, and try again after another's commit as long as it `follows`.

    Both judge the table's properties: whether what is staged follows on from them, and whether it is in already, where
    the answer to a commit was lost. SupersededError where neither is so. PyIceberg's own retries are off: they would
    put the same rows behind another writer's.
    """
    for attempt in range(_ATTEMPTS):
        if attempt and has_landed(table.properties):
            return table
        if not follows(table.properties):
            raise SupersededError(f"{'.'.join(table.name())} was moved on by another writer")
        transaction = _transaction(table)
        stage(transaction)
        try:
            return transaction.commit_transaction()
        except (CommitFailedException, CommitStateUnknownException):
            table.refresh()
    raise SupersededError(f"{'.'.join(table.name())} is committed to all the time: {_ATTEMPTS} attempts lost the race")


class _Transaction(Transaction):
    """PyIceberg's own copies all of the table's metadata each of the twenty times that it is asked."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._known = 0, table.metadata

    @property
    def table_metadata(self) -> TableMetadata:
        """With all updates so far; made anew after each. Nobody changes it in place."""
        updates, metadata = self._known
        if updates != len(self._updates):
            metadata = super().table_metadata
            self._known = len(self._updates), metadata
        return metadata


def _transaction(table: Table) -> Transaction:
    """A transaction that never retries by itself, and knows no snapshot but the one that it follows.

    Both in memory alone: what is copied then costs the same whether a table keeps a day's snapshots or none.
    """
    metadata = table.metadata
    known = {
        "properties": {**metadata.properties, TableProperties.COMMIT_NUM_RETRIES: "0"},
        "snapshots": [one for one in metadata.snapshots if one.snapshot_id == metadata.current_snapshot_id],
        "snapshot_log": [],
        "metadata_log": [],
    }
    table.metadata = metadata.model_copy(update=known)
    return _Transaction(table)


def stage_rows(
    transaction: Transaction,
    columns: Sequence[Column],
    rows: pa.Table,
    properties: Mapping[str, str],
    replacing: BooleanExpression | None = None,
) -> None:
    """Put columns, rows and properties into a transaction; `replacing` removes what matches first.

    Without rows there is a snapshot all the same: it is by the snapshot that a catalog tells a late writer.
    """
    table = transaction._table  # noqa: SLF001 - its name is told nowhere else
    evolve(transaction, ".".join(table.name()), columns)
    fitted = fit(rows, schema_to_pyarrow(transaction.table_metadata.schema(), include_field_ids=False))
    # Looked for at each attempt: the one before it may have landed although its answer was lost.
    if replacing is not None and matches(table, replacing):
        transaction.overwrite(fitted, replacing)
    else:
        transaction.append(fitted)
    if properties:
        transaction.set_properties(dict(properties))


def matches(table: Table, rows: BooleanExpression) -> bool:
    """Whether there are such rows; PyIceberg warns of removing nothing."""
    return bool(table.scan(rows, limit=1).to_arrow().num_rows)


def fit(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows in a table's columns: what they lack is null, and narrower values are widened."""
    return pa.table({field.name: _fitted(rows, field) for field in schema})


def _fitted(rows: pa.Table, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    if field.name not in rows.column_names:
        return pa.nulls(rows.num_rows, field.type)
    values = rows[field.name]
    # Parquet knows one kind of text: to make Arrow's other of it costs a fifth of a commit.
    return values if pa.types.is_string(values.type) and _is_text(field.type) else values.cast(field.type)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
