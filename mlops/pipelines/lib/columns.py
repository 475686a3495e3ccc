"""The columns of a bronze table, from the contract's descriptor and from what PostgreSQL says of its table; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pyarrow as pa
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tidegate.annotations.v1.sensitivity_pb2 import SENSITIVITY_UNSPECIFIED, sensitivity

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
TEXTS: Final = pa.list_(pa.string())
STORED_AT: Final = "stored_at"
INGESTED_AT: Final = "ingested_at"
STORED_XID: Final = "stored_xid"
# How comments in the schema `tidegate` mark what identifies a person.
_PERSONAL: Final = "PERSONAL"


class UnknownTypeError(Exception):
    """A type that bronze has no column for; the message says which, and where to add it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of bronze; every one may be null, since columns are added to tables that have rows."""

    name: str
    type: pa.DataType
    doc: str = ""
    personal: bool = False


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column of PostgreSQL, as its catalogue has it: type in format_type's words."""

    name: str
    type: str
    comment: str = ""


INGESTED_AT_COLUMN: Final = Column(INGESTED_AT, TIMESTAMP, "When the row came into the lake.")

_SCALARS: Final[Mapping[int, pa.DataType]] = {
    FieldDescriptor.TYPE_STRING: pa.string(),
    FieldDescriptor.TYPE_ENUM: pa.string(),  # in words, as PostgreSQL has it
    FieldDescriptor.TYPE_BOOL: pa.bool_(),
    FieldDescriptor.TYPE_INT32: pa.int32(),
    FieldDescriptor.TYPE_SINT32: pa.int32(),
    FieldDescriptor.TYPE_SFIXED32: pa.int32(),
    FieldDescriptor.TYPE_UINT32: pa.int64(),
    FieldDescriptor.TYPE_FIXED32: pa.int64(),
    FieldDescriptor.TYPE_INT64: pa.int64(),
    FieldDescriptor.TYPE_SINT64: pa.int64(),
    FieldDescriptor.TYPE_SFIXED64: pa.int64(),
    FieldDescriptor.TYPE_FLOAT: pa.float32(),
    FieldDescriptor.TYPE_DOUBLE: pa.float64(),
    FieldDescriptor.TYPE_BYTES: pa.binary(),
}
_STORED: Final[Mapping[str, pa.DataType]] = {
    "text": pa.string(),
    "text[]": TEXTS,
    "jsonb": pa.string(),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "timestamp with time zone": TIMESTAMP,
    "date": pa.date32(),
}


def contract_columns(contract: Descriptor) -> Sequence[Column]:
    """A column for each field, in order: messages inside and maps as JSON text, repeated values as lists."""
    return [Column(field.name, _type(field), personal=is_personal(field)) for field in contract.fields]


def table_columns(contract: Descriptor, stored: Sequence[StoredColumn]) -> Sequence[Column]:
    """The contract's fields, and what its table has beside them; a field that the table lacks comes null.

    Messages inside a message become a column only where the table has one of that name: a decision's answers lie in its
    JSON, and in columns of their own.
    """
    found = {column.name: column for column in stored}
    flat = [_described(field, found.get(field.name)) for field in contract.fields if _has_column(field, found)]
    named = {column.name for column in flat}
    beside = [stored_column(column) for column in stored if column.name not in named | {STORED_XID}]
    return [*flat, *beside, INGESTED_AT_COLUMN]


def topic_columns(contract: Descriptor) -> Sequence[Column]:
    """The contract's fields, and when the broker had the message."""
    stored_at = Column(STORED_AT, TIMESTAMP, "When the broker had the message.")
    return [*contract_columns(contract), stored_at, INGESTED_AT_COLUMN]


def stored_column(column: StoredColumn) -> Column:
    """A column that is PostgreSQL's own."""
    if column.type not in _STORED:
        raise UnknownTypeError(
            f"{column.name} is {column.type} in PostgreSQL, for which bronze has no type: add it to _STORED in "
            "mlops/pipelines/lib/columns.py"
        )
    return Column(column.name, _STORED[column.type], column.comment, column.comment.startswith(_PERSONAL))


def is_personal(field: FieldDescriptor) -> bool:
    """Whether the contract says that the field, or one inside it, is more than operational data."""
    if field.GetOptions().Extensions[cast("Any", sensitivity)] != SENSITIVITY_UNSPECIFIED:
        return True
    inner = field.message_type
    return inner is not None and not _is_timestamp(field) and any(map(is_personal, inner.fields))


def _has_column(field: FieldDescriptor, stored: Mapping[str, StoredColumn]) -> bool:
    return field.name in stored or field.message_type is None or _is_map(field) or _is_timestamp(field)


def _described(field: FieldDescriptor, stored: StoredColumn | None) -> Column:
    if stored is None:
        return Column(field.name, _type(field), personal=is_personal(field))
    described = stored_column(stored)
    nested = field.message_type is not None and not _is_timestamp(field)
    kind = described.type if nested else _type(field)
    return Column(field.name, kind, stored.comment, is_personal(field) or described.personal)


def _type(field: FieldDescriptor) -> pa.DataType:
    if _is_timestamp(field):
        return pa.list_(TIMESTAMP) if field.is_repeated else TIMESTAMP
    if field.message_type is not None:
        return pa.string()
    if field.type not in _SCALARS:
        raise UnknownTypeError(
            f"{field.full_name} has a type that bronze has no column for: use int64 or string, or add the type to "
            "_SCALARS in mlops/pipelines/lib/columns.py"
        )
    scalar = _SCALARS[field.type]
    return pa.list_(scalar) if field.is_repeated else scalar


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _is_timestamp(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp"
