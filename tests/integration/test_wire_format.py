"""Confluent's stock Protobuf tools and ours read each other's bytes."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from confluent_kafka.schema_registry import RegisteredSchema, SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.ingress.v1.violation_pb2 import Violation
from tidegate.payments.v1.validation_failure_pb2 import MessageOrigin, ValidationFailure

from codegen import register
from services.runtime.clock import SystemIds, timestamp
from services.runtime.registry import RegistrySchemaIds
from services.runtime.serde import TopicSerde
from services.runtime.settings import RegistrySettings
from tests.engines import Engines

TOPIC = "payments.validation.dlq"

FAILURE = ValidationFailure(
    event_id="stripe:evt_1",
    provider=PROVIDER_STRIPE,
    violations=[Violation(rule_id="currency.unsupported", field_path="data.object.currency", message="is not enabled")],
    origin=MessageOrigin(topic="webhooks.stripe.charge", partition=0, offset=0),
    failed_at=timestamp(datetime(2026, 1, 1, tzinfo=UTC)),
    schema_version=1,
)


@pytest.fixture
def ids(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistrySchemaIds]:
    monkeypatch.setenv("TIDEGATE_SCHEMA_REGISTRY_URL", engines.schema_registry_url)
    assert register.main([]) == 0
    with closing(RegistrySchemaIds(RegistrySettings(schema_registry_url=engines.schema_registry_url))) as ids:
        yield ids


def test_the_stock_deserializer_reads_what_we_write(ids: RegistrySchemaIds) -> None:
    value = TopicSerde(TOPIC, ValidationFailure, ids).encode(FAILURE)
    # Without a registry client: with one it asks for descriptors in a form that Apicurio 3 does not serve.
    stock = ProtobufDeserializer(ValidationFailure, {"use.deprecated.format": False})
    assert stock(value, SerializationContext(TOPIC, MessageField.VALUE)) == FAILURE


def test_we_read_what_the_stock_serializer_writes(engines: Engines, ids: RegistrySchemaIds) -> None:
    """It registers descriptors under subjects of its own here, since it cannot look up source text."""
    topic = f"interop.{SystemIds().new()}"
    config = {
        "use.deprecated.format": False,
        "skip.known.types": True,
        "reference.subject.name.strategy": lambda _, file: f"{topic}/{file.name}",
    }
    with closing(SchemaRegistryClient({"url": engines.schema_registry_url})) as client:
        stock = ProtobufSerializer(ValidationFailure, client, config)
        value = stock(FAILURE, SerializationContext(topic, MessageField.VALUE))
    assert TopicSerde(topic, ValidationFailure, ids).decode(value, partition=0, offset=0) == FAILURE


def test_the_same_schema_id_gives_the_same_bytes(engines: Engines, ids: RegistrySchemaIds) -> None:
    """With the registered id in hand, the stock serializer's bytes are ours to the last one."""

    class KnowsItsId(SchemaRegistryClient):
        def lookup_schema(self, subject_name: str, *_: object, **__: object) -> RegisteredSchema:
            return self.get_latest_version(subject_name)

    config = {"auto.register.schemas": False, "skip.known.types": True, "use.deprecated.format": False}
    ours = TopicSerde(TOPIC, ValidationFailure, ids).encode(FAILURE)
    with closing(KnowsItsId({"url": engines.schema_registry_url})) as client:
        stock = ProtobufSerializer(ValidationFailure, client, config)
        assert stock(FAILURE, SerializationContext(TOPIC, MessageField.VALUE)) == ours


def test_after_the_start_no_registry_is_asked(ids: RegistrySchemaIds) -> None:
    serde = TopicSerde(TOPIC, ValidationFailure, ids)
    ids.close()
    assert serde.decode(serde.encode(FAILURE), partition=0, offset=0) == FAILURE
