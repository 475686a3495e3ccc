"""Makes and evolves the Iceberg schema of a bronze table: columns are added and widened, never dropped or narrowed."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.transforms import DayTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from mlops.pipelines.lib.columns import TIMESTAMP, Column

_TYPES: Final = {
    pa.string(): StringType(),
    pa.bool_(): BooleanType(),
    pa.int32(): IntegerType(),
    pa.int64(): LongType(),
    pa.float32(): FloatType(),
    pa.float64(): DoubleType(),
    pa.binary(): BinaryType(),
    pa.date32(): DateType(),
    TIMESTAMP: TimestamptzType(),
}
# What Iceberg can widen in place; the other way round the wider one stays, since it holds both.
_WIDER: Final = {(IntegerType(), LongType()), (FloatType(), DoubleType())}


class SchemaConflictError(Exception):
    """A contract no longer fits the rows that bronze has; the message says what to do."""


def iceberg_schema(columns: Sequence[Column]) -> Schema:
    """A schema for a new table; ids count from 1."""
    fields: list[NestedField] = []
    spare = len(columns) + 1
    for number, column in enumerate(columns, 1):
        kind = _iceberg_type(column.type, element_id=spare)
        spare += isinstance(kind, ListType)
        fields.append(NestedField(number, column.name, kind, required=False, doc=column.doc or None))
    return Schema(*fields)


def partitioned_by_day(schema: Schema, column: str) -> PartitionSpec:
    """By the day of a timestamp, UTC: late rows land in their own."""
    source = schema.find_field(column)
    return PartitionSpec(PartitionField(source.field_id, 1000, DayTransform(), f"{column}_day"))


def evolve(transaction: Transaction, table: str, columns: Sequence[Column]) -> bool:
    """Bring a table's schema to these columns within a transaction; whether anything changed.

    Raises SchemaConflictError for a column that became something else.
    """
    schema = transaction.table_metadata.schema()
    added = [column for column in columns if column.name not in schema.column_names]
    widened = [column for column in columns if column.name in schema.column_names and _widens(table, schema, column)]
    if not added and not widened:
        return False
    with transaction.update_schema() as update:
        for column in added:
            update.add_column(column.name, _iceberg_type(column.type, element_id=0), doc=column.doc or None)
        for column in widened:
            update.update_column(column.name, field_type=_iceberg_type(column.type, element_id=0))
    return True


def _widens(table: str, schema: Schema, column: Column) -> bool:
    """Whether the column's type is wider than the table's; raises where neither holds the other."""
    has, wanted = schema.find_field(column.name).field_type, _iceberg_type(column.type, element_id=0)
    if _same(has, wanted) or (wanted, has) in _WIDER:
        return False
    if (has, wanted) in _WIDER:
        return True
    raise SchemaConflictError(
        f"{table}.{column.name} is {has} in the lake, and {wanted} by the contract: no type holds both. Give the "
        "field a new name and number in the .proto (the old column stays, with its rows), or, where these may go, drop "
        f"the column with Trino (ALTER TABLE lake.{table} DROP COLUMN {column.name}) and ingest again"
    )


def _same(has: IcebergType, wanted: IcebergType) -> bool:
    if isinstance(has, ListType) and isinstance(wanted, ListType):
        return has.element_type == wanted.element_type
    return has == wanted


def _iceberg_type(kind: pa.DataType, element_id: int) -> IcebergType:
    if pa.types.is_list(kind):
        return ListType(element_id=element_id, element_type=_TYPES[kind.value_type], element_required=False)
    return _TYPES[kind]
