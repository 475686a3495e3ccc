"""Reads everything that was written to the platform's topics since a remembered moment; committed transactions only."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from google.protobuf.message import Message
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.ingress.v1.rejected_webhook_pb2 import RejectedWebhook
from tidegate.ingress.v1.uncontracted_webhook_pb2 import UncontractedWebhook
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook
from tidegate.stripe.v1.dispute_pb2 import DisputeWebhook
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook
from tidegate.stripe.v1.refund_pb2 import RefundWebhook

from services.runtime.errors import NeighbourUnavailableError
from services.runtime.serde import SchemaIds, TopicSerde
from services.simulator.balance import CONTRACTED, DEAD, DECISIONS, FAILURES, NORMALIZED, OTHER, Sighting

Places = Mapping[tuple[str, int], int]
"""The next offset of each topic and partition."""

_TYPES: Final[Mapping[str, type[Message]]] = {
    **dict(zip(CONTRACTED, (PaymentIntentWebhook, ChargeWebhook, RefundWebhook, DisputeWebhook), strict=True)),
    OTHER: UncontractedWebhook,
    DEAD: RejectedWebhook,
    NORMALIZED: UnifiedPaymentEvent,
    FAILURES: ValidationFailure,
    DECISIONS: PaymentDecision,
}
_TIMEOUT_SECONDS = 20.0
# `consume` waits for a full batch or this long, whichever comes first.
_BATCH, _WAIT_SECONDS = 500, 0.05


@dataclass(frozen=True, slots=True)
class Read:
    """A message with what it says of itself."""

    sighting: Sighting
    message: Any


class Topics:
    """All topics of the platform. One thread at a time."""

    def __init__(self, config: Mapping[str, Any], ids: SchemaIds) -> None:
        # A group is asked for, though nothing is ever committed.
        self._consumer = Consumer(
            {
                **config,
                "group.id": "simulator-onlooker",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        self._serdes = {topic: TopicSerde(topic, message_type, ids) for topic, message_type in _TYPES.items()}

    def ends(self) -> Places:
        """Where each partition ends now."""
        return {
            (topic, partition): self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=_TIMEOUT_SECONDS
            )[1]
            for topic in _TYPES
            for partition in self._partitions(topic)
        }

    def read(self, since: Places, topics: tuple[str, ...] = tuple(_TYPES)) -> list[Read]:
        """Every message of these topics from the places up to their present ends, in order within a partition."""
        wanted = [TopicPartition(topic, part, offset) for (topic, part), offset in since.items() if topic in topics]
        self._consumer.assign(wanted)
        ended: set[tuple[str, int]] = set()
        found: list[Read] = []
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while len(ended) < len(wanted):
            if time.monotonic() > deadline:
                raise NeighbourUnavailableError("Kafka", f"topics not read to their ends in {_TIMEOUT_SECONDS:.0f} s")
            for message in self._consumer.consume(_BATCH, _WAIT_SECONDS):
                if message.error() is None:
                    found.append(self._decoded(message))
                elif cast("KafkaError", message.error()).code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                    ended.add((str(message.topic()), cast("int", message.partition())))
                else:
                    raise KafkaException(message.error())
        self._consumer.unassign()
        return found

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _partitions(self, topic: str) -> list[int]:
        metadata = self._consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic]
        if metadata.error is not None:
            raise NeighbourUnavailableError("Kafka", f"topic {topic}: {metadata.error}; `make up` makes the topics")
        return list(metadata.partitions)

    def _decoded(self, message: KafkaMessage) -> Read:
        topic, partition, offset = str(message.topic()), cast("int", message.partition()), cast("int", message.offset())
        value = self._serdes[topic].decode(cast("bytes", message.value()), partition=partition, offset=offset)
        event_id, body = _EVENT_ID.get(topic, _own_id)(value), getattr(value, "raw_body", None)
        digest = None if body is None else hashlib.sha256(body).hexdigest()
        return Read(Sighting(topic, event_id, digest, message.timestamp()[1] / 1000), value)


def _own_id(message: Any) -> str:
    return str(message.event_id)


def _of_webhook(message: Any) -> str:
    return f"stripe:{message.event.id}"


_EVENT_ID: Final[Mapping[str, Callable[[Any], str]]] = dict.fromkeys(CONTRACTED, _of_webhook)
