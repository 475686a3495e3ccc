"""Writes dbt's sources: bronze tables with columns, comments and sensitivity, as contracts and PostgreSQL state them.

Run as `python -m codegen.dbt_sources`, part of `make gen`. Sensitivity is the contracts' option; a column that holds a
whole message is as sensitive as the most sensitive field in it, and a column of PostgreSQL's own whose comment begins
with PERSONAL is personal.
"""

import csv
import io
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from tidegate.annotations.v1.sensitivity_pb2 import sensitivity

from codegen.comments import comments
from codegen.image import ROOT, GenerationError, build_image
from codegen.tables import Table, tables
from codegen.topics import Topic, load_topics

SOURCES = Path("models/bronze/_sources.yml")
DECLINE_CLASSES = Path("seeds/decline_classes.csv")
OUT = ROOT / "dbt"

_HEADER = "# Written by `make gen` from proto/ and the migrations of PostgreSQL; never edited.\n"
_DECLINE_CLASS = "tidegate.payments.v1.DeclineClass"
_NOT_STATED = 0
# In the order of how much each hides.
_LEVELS: Final = ("operational", "personal", "secret")
_TIMESTAMP = "google.protobuf.Timestamp"
_MOMENT = "timestamp(6) with time zone"

_OF_FIELDS: Final[Mapping[int, str]] = {
    FieldDescriptor.TYPE_STRING: "varchar",
    FieldDescriptor.TYPE_ENUM: "varchar",
    FieldDescriptor.TYPE_MESSAGE: "varchar",  # JSON
    FieldDescriptor.TYPE_BOOL: "boolean",
    FieldDescriptor.TYPE_INT32: "integer",
    FieldDescriptor.TYPE_INT64: "bigint",
    FieldDescriptor.TYPE_UINT32: "bigint",
    FieldDescriptor.TYPE_FLOAT: "real",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_BYTES: "varbinary",
}
_OF_COLUMNS: Final[Mapping[str, str]] = {
    "text": "varchar",
    "jsonb": "varchar",
    "text[]": "array(varchar)",
    "boolean": "boolean",
    "integer": "integer",
    "bigint": "bigint",
    "double precision": "double",
    "date": "date",
    "timestamptz": _MOMENT,
}


@dataclass(frozen=True, slots=True)
class Bronze:
    """A bronze table and where its columns come from: a message, a table of PostgreSQL, or both."""

    name: str
    message: str | None = None
    table: str | None = None
    topic: str | None = None


BRONZE: Final = (
    Bronze("payment_events", "tidegate.payments.v1.UnifiedPaymentEvent", "payment_events", "payments.normalized"),
    Bronze("decisions", "tidegate.decisions.v1.PaymentDecision", "decisions", "payments.decisions"),
    Bronze("quarantine", "tidegate.payments.v1.ValidationFailure", "quarantine", "payments.validation.dlq"),
    Bronze("predictions", "tidegate.inference.v1.PredictionLogged", None, "inference.predictions"),
    *(Bronze(name, None, name) for name in ("feature_skew", "feature_drift", "score_drift", "model_performance")),
)
# Columns that ingest adds, and the one table that is its own.
_STORED_AT: Final = ("stored_at", _MOMENT, "When the row was written where it was ingested from.", "operational")
_INGESTED_AT: Final = ("ingested_at", _MOMENT, "When the row's batch was appended to the lake.", "operational")
# PostgreSQL's order of transactions, which ingest reads by; and what is listed last.
_NOT_IN_BRONZE: Final = ("stored_xid", "stored_at")
_REJECTED_ROWS: Final = (
    ("source_table", "varchar", "Bronze table that the row was meant for.", "operational"),
    ("rule_id", "varchar", "Row rule that it breaks: mlops/pipelines/lib/row_rules.yaml.", "operational"),
    ("key", "varchar", "Key of the row in its table.", "operational"),
    ("reason", "varchar", "What is wrong with it, in words.", "operational"),
    ("row", "varchar", "The row as JSON, personal values redacted.", "personal"),
    ("batch_id", "varchar", "Batch that it came with.", "operational"),
    ("event_day", "date", "Day that the row is of, UTC; of the rejection where the row has none.", "operational"),
    ("rejected_at", _MOMENT, "When it was rejected.", "operational"),
)
_REJECTED_SAYS: Final = (
    "Rows that break a rule of ingest, one row for each rule broken: named and kept here, while the rest of their batch"
    " goes on. The row itself stays where it came from."
)
_COLUMN = tuple[str, str, str, str]


class Contracts:
    """The contracts of buf's image: messages by name, and what their comments say."""

    def __init__(self, workspace: Path = ROOT) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            image = build_image(Path(scratch) / "image.binpb", workspace)
        self.comments = comments(image.file)
        self.topics = load_topics(workspace / "proto" / "topics")
        self._pool: Any = DescriptorPool()  # its type hints are empty
        for file in image.file:  # in the order of their imports
            self._pool.AddSerializedFile(file.SerializeToString())  # type: ignore[no-untyped-call]

    def message(self, name: str) -> Descriptor:
        """A message by its full name."""
        return cast("Descriptor", self._pool.FindMessageTypeByName(name))

    def enum_words(self, name: str) -> Iterator[tuple[str, int, str]]:
        """An enum's values as people read them, with their numbers and comments; the one that says nothing left out."""
        enum = self._pool.FindEnumTypeByName(name)
        prefix = _screaming(enum.name) + "_"
        for value in enum.values:
            if value.number != _NOT_STATED:
                yield value.name.removeprefix(prefix).lower(), value.number, self.comments[f"{name}.{value.name}"]

    def sensitivity(self, field: FieldDescriptor) -> str:
        """How far a field's value may travel: its own mark, or the strongest within the message that it holds."""
        mark: Any = sensitivity  # its generated type is plain FieldDescriptor
        levels = [int(field.GetOptions().Extensions[mark])]
        if field.message_type is not None and field.message_type.full_name != _TIMESTAMP:
            levels += [_LEVELS.index(self.sensitivity(inner)) for inner in field.message_type.fields]
        return _LEVELS[max(levels)]


def columns(bronze: Bronze, contracts: Contracts, known: Mapping[str, Table]) -> list[_COLUMN]:
    """Name, type, comment and sensitivity of each column of a bronze table, in order."""
    fields = {field.name: field for field in contracts.message(bronze.message).fields} if bronze.message else {}
    if bronze.table is None:
        return [*(_of_field(field, contracts) for field in fields.values()), _STORED_AT, _INGESTED_AT]
    table = known[bronze.table]
    whole = max((contracts.sensitivity(field) for field in fields.values()), key=_LEVELS.index, default="operational")
    listed = [
        _of_field(fields[column.name], contracts)
        if column.name in fields and column.kind != "text[]"
        else (column.name, _OF_COLUMNS[column.kind], column.comment, _level(column.kind, column.comment, whole))
        for column in table.columns
        if column.name not in _NOT_IN_BRONZE
    ]
    names = {name for name, *_ in listed}
    added = [_of_field(field, contracts) for field in fields.values() if field.name not in names]
    stored = [_STORED_AT] if any(column.name == "stored_at" for column in table.columns) else []
    # Where a table says less than its message on purpose (a decision's answers are columns of their own), the message's
    # fields are not columns; payment_events alone has one for each.
    return [*listed, *(added if bronze.name == "payment_events" else []), *stored, _INGESTED_AT]


def _level(kind: str, comment: str, whole: str) -> str:
    if comment.startswith("PERSONAL"):
        return whole if kind == "jsonb" and whole != "operational" else "personal"
    return "operational"


def _of_field(field: FieldDescriptor, contracts: Contracts) -> _COLUMN:
    says = contracts.comments[field.full_name]
    if field.message_type is not None and field.message_type.full_name == _TIMESTAMP:
        return field.name, _MOMENT, says, contracts.sensitivity(field)
    if field.type not in _OF_FIELDS:
        raise GenerationError(f"{field.full_name} has a type that bronze has no column for: add it to {__name__}")
    kind = _OF_FIELDS[field.type]
    if field.is_repeated and field.type == FieldDescriptor.TYPE_STRING:
        kind = "array(varchar)"
    return field.name, kind, says, contracts.sensitivity(field)


def sources(contracts: Contracts, known: Mapping[str, Table]) -> str:
    """The whole of dbt's file of sources."""
    listed = [_table(bronze, contracts, known) for bronze in BRONZE]
    listed.append(_described("rejected_rows", _REJECTED_SAYS, {}, _REJECTED_ROWS, loaded_at="rejected_at"))
    source = {
        "name": "bronze",
        "description": "What ingest appends, as it came: columns as in PostgreSQL and in the contracts, personal values"
        " in the clear. Only silver reads it.",
        "database": "{{ env_var('TIDEGATE_TRINO_CATALOG', 'lake') }}",
        "schema": "bronze",
        "tables": listed,
    }
    text = yaml.safe_dump(
        {"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False
    )
    return _HEADER + text


def _table(bronze: Bronze, contracts: Contracts, known: Mapping[str, Table]) -> dict[str, Any]:
    says = known[bronze.table].comment if bronze.table else contracts.comments[bronze.message or ""]
    meta = {"contract": bronze.message, "topic": bronze.topic, "postgresql": bronze.table}
    topic: Topic | None = contracts.topics[bronze.topic] if bronze.topic else None
    if topic is not None and topic.message != bronze.message:
        raise GenerationError(f"topic {bronze.topic} holds {topic.message}, and bronze.{bronze.name} {bronze.message}")
    return _described(
        bronze.name,
        says,
        {name: value for name, value in meta.items() if value},
        columns(bronze, contracts, known),
        loaded_at="ingested_at" if bronze.message else None,
    )


def _described(
    name: str, says: str, meta: Mapping[str, str], of_table: Iterable[_COLUMN], loaded_at: str | None
) -> dict[str, Any]:
    config: dict[str, Any] = {"meta": dict(meta)} if meta else {}
    if loaded_at == "ingested_at":
        config["loaded_at_field"] = loaded_at
        config["freshness"] = {
            "warn_after": {"count": 1, "period": "day"},
            "error_after": {"count": 7, "period": "day"},
        }
    return {
        "name": name,
        "description": says,
        **({"config": config} if config else {}),
        "columns": [
            {
                "name": column,
                "description": comment,
                "data_type": kind,
                "config": {
                    "meta": {"sensitivity": level},
                    **({"tags": [level]} if level != "operational" else {}),
                },
            }
            for column, kind, comment, level in of_table
        ],
    }


def decline_classes(contracts: Contracts) -> str:
    """A seed with a row for each class of decline and what its comment says."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("decline_class", "number", "description"))
    writer.writerows(contracts.enum_words(_DECLINE_CLASS))
    return out.getvalue()


def generate(out: Path, workspace: Path = ROOT) -> None:
    """Write all files below `out`, a dbt project's folder."""
    contracts = Contracts(workspace)
    for file, text in ((SOURCES, sources(contracts, tables())), (DECLINE_CLASSES, decline_classes(contracts))):
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        (out / file).write_text(text, encoding="utf-8")


def _screaming(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() and at else letter for at, letter in enumerate(name)).upper()


def main() -> int:
    """Write the files in place."""
    try:
        generate(OUT)
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"dbt: sources of {len(BRONZE) + 1} bronze tables")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
