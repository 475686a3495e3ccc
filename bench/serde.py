"""Serde against Confluent's: the same framing of the same message, both with their caches warm.

Neither side checks the contract's rules here: Confluent's tools have no such check, and ours is measured in the
normalizer's and the gateway's figures.
"""

import base64
from collections.abc import Callable

from confluent_kafka.schema_registry import (
    RegisteredSchema,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor import FileDescriptor
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from bench.measure import Result, interleaved, seconds_per_call
from bench.samples import unified_event
from services.runtime.errors import Position
from services.runtime.serde import TopicSerde
from tests.fakes.schema_ids import FixedSchemaIds

_TOPIC = "payments.normalized"
_CALLS = 20_000
_ROUNDS = 7


class _RegistryInMemory(SchemaRegistryClient):
    """Answers as Confluent's registry does once everything is registered, without HTTP: descriptors in base64."""

    def __init__(self, file: FileDescriptor, schema_id: int) -> None:
        super().__init__({"url": "http://127.0.0.1:9"})
        self._files: dict[str, FileDescriptor] = {}
        self._add(file)
        self._latest = self._schema(file)
        self._id = schema_id

    def get_latest_version(self, subject_name: str, fmt: str | None = None) -> RegisteredSchema:
        return self._registered(subject_name, self._latest)

    def get_schema(self, schema_id: int, *_: object, **__: object) -> Schema:
        return self._latest

    def get_version(self, subject_name: str, *_: object, **__: object) -> RegisteredSchema:
        return self._registered(subject_name, self._schema(self._files[subject_name]))

    def _add(self, file: FileDescriptor) -> None:
        self._files[file.name] = file
        for imported in file.dependencies:
            self._add(imported)

    def _schema(self, file: FileDescriptor) -> Schema:
        references = [
            SchemaReference(imported.name, imported.name, 1)
            for imported in file.dependencies
            if not imported.name.startswith("google/protobuf/")
        ]
        return Schema(base64.b64encode(file.serialized_pb).decode(), "PROTOBUF", references)

    def _registered(self, subject: str, schema: Schema) -> RegisteredSchema:
        return RegisteredSchema(subject=subject, version=1, schema_id=self._id, guid=None, schema=schema)


def run() -> list[Result]:
    """Measure reads and writes."""
    event = unified_event()
    serde = TopicSerde(_TOPIC, UnifiedPaymentEvent, FixedSchemaIds())
    context = SerializationContext(_TOPIC, MessageField.VALUE)
    registry = _RegistryInMemory(UnifiedPaymentEvent.DESCRIPTOR.file, FixedSchemaIds().latest(serde.subject))
    # How a service uses them whose schemas are registered at deploy time.
    config = {"use.deprecated.format": False, "subject.name.strategy": topic_subject_name_strategy}
    writing = {**config, "auto.register.schemas": False, "use.latest.version": True, "skip.known.types": True}
    serializer = ProtobufSerializer(UnifiedPaymentEvent, registry, writing)
    deserializer = ProtobufDeserializer(UnifiedPaymentEvent, config, registry)
    value = serde.frame(event)
    if serializer(event, context) != value:
        raise AssertionError("the two sides do not write the same bytes: the comparison would mean nothing")
    if deserializer(value, context) != event:
        raise AssertionError("the two sides do not read the same message")
    position = Position(_TOPIC, 0, 0)
    return [
        _result(
            "serde_read",
            "reads per second, ours against Confluent's deserializer",
            lambda: seconds_per_call(lambda: serde.unframe(value, position), _CALLS),
            lambda: seconds_per_call(lambda: deserializer(value, context), _CALLS // 10),
            15,
        ),
        _result(
            "serde_write",
            "writes per second, ours against Confluent's serializer",
            lambda: seconds_per_call(lambda: serde.frame(event), _CALLS),
            lambda: seconds_per_call(lambda: serializer(event, context), _CALLS // 10),
            5,
        ),
    ]


def _result(id_: str, what: str, ours: Callable[[], float], theirs: Callable[[], float], bar: float) -> Result:
    # "Times faster" is their time over ours, so the ratio is of speeds: messages per second.
    ours_seconds, their_seconds, ratio = interleaved(ours, theirs, _ROUNDS)
    return Result(id_, what, "messages/s", 1 / ours_seconds, 1 / their_seconds, 1 / ratio, bar, "higher", {})
