"""Brings the topic of predictions to bronze, with its offsets in the commit of the rows."""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
from confluent_kafka import Message as Record
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged

from mlops.pipelines.lib import rejected
from mlops.pipelines.lib.batch import Batch, Target, bring, rules_of
from mlops.pipelines.lib.columns import STORED_AT, Column, topic_columns
from mlops.pipelines.lib.lake import At, IngestReport, Lake
from mlops.pipelines.lib.prediction_log import PredictionLog, TopicShortenedError
from mlops.pipelines.lib.sources import (
    NAMESPACE,
    PREDICTION_CONTRACT,
    PREDICTION_HAPPENED_AT,
    PREDICTIONS,
    PREDICTIONS_TOPIC,
)
from mlops.pipelines.lib.tables import open_table

_OFFSET: Final = "tidegate.offset."
_CLUSTER: Final = "tidegate.kafka-cluster"
_AT_ONCE: Final = 50_000
# Magic byte 0, the schema's id, and the index 0 of the message in it: how Confluent frames Protobuf.
_FRAME: Final = struct.Struct(">bI")
_FIRST_MESSAGE: Final = 0

COLUMNS: Final[Sequence[Column]] = topic_columns(PREDICTION_CONTRACT)


def prediction_table(catalog: Catalog) -> Table:
    """The table; made where there is none, so that others can build on it before the first prediction."""
    return open_table(catalog, f"{NAMESPACE}.{PREDICTIONS}", COLUMNS, PREDICTION_HAPPENED_AT)


def ingest_predictions(
    lake: Lake, kafka: Mapping[str, Any], topic: str = PREDICTIONS_TOPIC, at: At = lambda _: None
) -> IngestReport:
    """Bring what the topic has got since; TopicShortenedError where it has lost what comes next, and as `bring`."""
    table = prediction_table(lake.catalog)
    log = PredictionLog(kafka, topic)
    known = table.properties.get(_CLUSTER)
    if known not in {None, log.cluster}:
        raise TopicShortenedError(
            f"{PREDICTIONS}: bronze was filled from another Kafka cluster ({known} then, {log.cluster} now): its "
            "offsets mean nothing here. `python -m mlops.pipelines adopt predictions` goes on with what this one has"
        )
    origin = rejected.Origin(PREDICTIONS, "event_id", PREDICTION_HAPPENED_AT, COLUMNS)
    target = Target(lake, origin, rules_of(PREDICTIONS, lake), at)
    start = offsets(table.properties)
    report = IngestReport.nothing(PREDICTIONS, _told(start))
    for records, until in log.messages(start, min(lake.rows_at_once, _AT_ONCE)):
        at("read")
        table, verdict = bring(target, table, _batch(records, (start, until), log.cluster, lake))
        report = report.with_batch(verdict, _told(until), table)
        start = until
    return report


def adopt_topic(catalog: Catalog, kafka: Mapping[str, Any]) -> str:
    """Go on with what the topic has now, from its first message or from where bronze is, if that is still there."""
    table, log = prediction_table(catalog), PredictionLog(kafka, PREDICTIONS_TOPIC)
    same = table.properties.get(_CLUSTER) in {None, log.cluster}
    known = offsets(table.properties) if same else {}
    position = {
        number: known[number] if ends.first <= known.get(number, -1) <= ends.end else ends.first
        for number, ends in log.ends.items()
    }
    with table.transaction() as transaction:
        transaction.set_properties({**_properties(position), _CLUSTER: log.cluster})
    return _told(position) or ""


def offsets(properties: Mapping[str, str]) -> Mapping[int, int]:
    """The next offset of each partition, as a table's properties have it."""
    return {
        int(name.removeprefix(_OFFSET)): int(value) for name, value in properties.items() if name.startswith(_OFFSET)
    }


def prediction_row(message: PredictionLogged, stored_at_ms: int) -> dict[str, Any]:
    """A row of bronze.predictions; pure."""
    row = {field.name: read(message) for field, read in _READERS}
    return {**row, STORED_AT: datetime.fromtimestamp(stored_at_ms / 1000, UTC)}


def _batch(
    records: Sequence[Record],
    ends: tuple[Mapping[int, int], Mapping[int, int]],
    cluster: str,
    lake: Lake,
) -> Batch:
    start, until = ends
    batch_id = f"{PREDICTIONS}:{_told(until)}{lake.mark}"
    rows, unreadable = [], []
    for record in records:
        row = _row(record)
        if row is None:
            unreadable.append(_unreadable(record, batch_id, lake.now))
        else:
            rows.append(row)
    schema = pa.schema([(column.name, column.type) for column in COLUMNS[:-1]])
    return Batch(
        batch_id=batch_id,
        rows=pa.Table.from_pylist(rows, schema=schema),
        follows=lambda found: offsets(found) == start,
        moves_to={**_properties(until), _CLUSTER: cluster},
        taken={},
        unreadable=pa.Table.from_pylist(unreadable, schema=rejected.SCHEMA),
    )


def _row(record: Record) -> dict[str, Any] | None:
    """None where there is no message in it, or one that no row can be made of: its moments are in no calendar."""
    message = _decoded(record.value())
    try:
        return None if message is None else prediction_row(message, record.timestamp()[1])
    except ValueError:
        return None


def _decoded(value: bytes | None) -> PredictionLogged | None:
    """The message in Confluent's frame; None where there is none in it."""
    if value is None or len(value) <= _FRAME.size or value[0] or value[_FRAME.size] != _FIRST_MESSAGE:
        return None
    try:
        return PredictionLogged.FromString(value[_FRAME.size + 1 :])
    except DecodeError:
        return None


def _unreadable(record: Record, batch_id: str, now: datetime) -> dict[str, Any]:
    place = {"topic": record.topic(), "partition": record.partition(), "offset": record.offset()}
    return {
        "source_table": PREDICTIONS,
        "rule_id": rejected.UNREADABLE,
        "key": ":".join(map(str, place.values())),
        "reason": rejected.UNREADABLE,
        "row": json.dumps(place),
        "batch_id": batch_id,
        "event_day": None,
        "rejected_at": now,
    }


def _reader(field: FieldDescriptor) -> Callable[[Message], Any]:
    name = field.name
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
        return lambda message: getattr(message, name).ToDatetime(UTC)
    if field.message_type is not None and field.is_repeated:
        return lambda message: json.dumps([_document(each) for each in getattr(message, name)])
    if field.message_type is not None:
        return lambda message: json.dumps(_document(getattr(message, name))) if message.HasField(name) else None
    if field.enum_type is not None:
        prefix = _prefix(field.enum_type.values[0].name)
        words = {value.number: value.name.removeprefix(prefix).lower() for value in field.enum_type.values}
        return lambda message: words.get(getattr(message, name))
    if field.has_presence:
        return lambda message: getattr(message, name) if message.HasField(name) else None
    return lambda message: getattr(message, name)


def _document(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


def _prefix(zero: str) -> str:
    """What an enum's values begin with; the zero value is <PREFIX>_UNSPECIFIED."""
    return zero.removesuffix("UNSPECIFIED")


_READERS: Final = tuple((field, _reader(field)) for field in PREDICTION_CONTRACT.fields)


def _properties(position: Mapping[int, int]) -> dict[str, str]:
    return {f"{_OFFSET}{number}": str(offset) for number, offset in position.items()}


def _told(position: Mapping[int, int]) -> str | None:
    return ",".join(f"{number}@{position[number]}" for number in sorted(position)) or None
