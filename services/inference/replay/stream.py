"""The past from Kafka: all events, and decisions for their scores, in the order of arrival; read-committed."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import microseconds
from services.inference.replay.past import Told
from services.runtime.errors import InvalidMessageError, NeighbourUnavailableError
from services.runtime.serde import SchemaIds, TopicSerde

NORMALIZED: Final = "payments.normalized"
DECISIONS: Final = "payments.decisions"

_CALL_SECONDS: Final = 10.0
_AT_ONCE: Final = 1_000
# A read waits this long for as many as it asks for; so many in a row without one are the broker's trouble.
_READ_SECONDS: Final = 0.1
_MOST_EMPTY_READS: Final = 100
_CONFIG: Final[Mapping[str, Any]] = {
    # Never joined nor committed to: every partition is assigned by hand.
    "group.id": "tidegate-replay",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
}


@dataclass(frozen=True, slots=True)
class Partition:
    """All that one partition held when it was read, as bytes: decoding waits until it is its turn."""

    topic: str
    number: int
    messages: Sequence[tuple[int, bytes | None]]


class Stream:
    """What both topics held at one moment. `unreadable` is whole when `told` has ended."""

    def __init__(
        self, config: Mapping[str, Any], ids: SchemaIds, *, normalized: str = NORMALIZED, decisions: str = DECISIONS
    ) -> None:
        """NeighbourUnavailableError where the broker does not answer; DeployStepMissingError without a schema."""
        self.unreadable = 0
        self._normalized = normalized
        self._events = TopicSerde(normalized, UnifiedPaymentEvent, ids)
        self._decisions = TopicSerde(decisions, PaymentDecision, ids)
        self._partitions = _read({**_CONFIG, **config}, (normalized, decisions))

    @property
    def described(self) -> str:
        """What was read."""
        held = (f"{each.topic}[{each.number}] {len(each.messages):,}" for each in self._partitions if each.messages)
        return f"Kafka, from the earliest message: {', '.join(held) or 'nothing'}"

    def told(self) -> Iterator[Told]:
        """Everything in the order of arrival; within a partition in its own."""
        streams = [self._decoded(partition) for partition in self._partitions]
        return (told for _, told in heapq.merge(*streams, key=lambda each: each[0]))

    def _decoded(self, partition: Partition) -> Iterator[tuple[int, Told]]:
        """With when each arrived. What cannot be read is passed over, as the stream of features does."""
        for offset, value in partition.messages:
            try:
                if partition.topic == self._normalized:
                    event = self._events.decode(value, partition=partition.number, offset=offset)
                    yield microseconds(event.processed_at), event
                else:
                    decision = self._decisions.decode(value, partition=partition.number, offset=offset)
                    yield microseconds(decision.decided_at), decision
            except InvalidMessageError:
                self.unreadable += 1


def _read(config: Mapping[str, Any], topics: Sequence[str]) -> Sequence[Partition]:
    consumer = Consumer(dict(config))
    try:
        places = [place for topic in topics for place in _places(consumer, topic)]
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in places])
        return _to_the_end(consumer, places)
    except KafkaException as error:
        raise NeighbourUnavailableError("Kafka", error.args[0].name()) from error
    finally:
        consumer.close()


def _places(consumer: Consumer, topic: str) -> Sequence[tuple[str, int]]:
    found = consumer.list_topics(topic, timeout=_CALL_SECONDS).topics[topic]
    if found.error is not None:
        raise NeighbourUnavailableError("Kafka", f"{found.error.name()} for {topic}")
    return [(topic, number) for number in sorted(found.partitions)]


def _to_the_end(consumer: Consumer, places: Sequence[tuple[str, int]]) -> Sequence[Partition]:
    """Read each partition until its end has been met once."""
    held: dict[tuple[str, int], list[tuple[int, bytes | None]]] = {place: [] for place in places}
    open_places = set(places)
    empty_reads = 0
    while open_places:
        messages = consumer.consume(_AT_ONCE, _READ_SECONDS)
        empty_reads = 0 if messages else empty_reads + 1
        if empty_reads > _MOST_EMPTY_READS:
            raise NeighbourUnavailableError("Kafka", "it gives neither messages nor the end of a topic")
        for message in messages:
            place = (str(message.topic()), int(message.partition() or 0))
            if _is_end(message):
                open_places.discard(place)
            elif place in open_places:
                held[place].append((int(message.offset() or 0), message.value()))
    return [Partition(topic, number, messages) for (topic, number), messages in held.items()]


def _is_end(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
        return True
    raise NeighbourUnavailableError("Kafka", error.name())
