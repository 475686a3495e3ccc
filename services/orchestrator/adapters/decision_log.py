"""The topic of decisions: written in Kafka transactions under one fixed name, read back after a crash."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision

from services.orchestrator.ports import QueuedDecision
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.headers import EVENT_ID
from services.runtime.serde import TopicSerde
from services.runtime.settings import PRODUCER_DEFAULTS

_TRANSACTION_TIMEOUT_MS: Final = 30_000
_CALL_SECONDS: Final = 30.0
_READ_SECONDS: Final = 1.0
_PORTION: Final = 5_000

_librdkafka = logging.getLogger("librdkafka")


class KafkaDecisionLog:
    """A DecisionLog. Any failure ends it: a new one, under the same name, aborts what this one left open."""

    def __init__(self, config: Mapping[str, Any], serde: TopicSerde[PaymentDecision], *, transactional_id: str) -> None:
        self._serde = serde
        self._topic = serde.topic
        # Readers would warn of a producer's properties.
        shared = {name: value for name, value in config.items() if name not in PRODUCER_DEFAULTS}
        self._config = {**shared, "logger": _librdkafka}
        self._producer = Producer(
            {
                **PRODUCER_DEFAULTS,
                **config,
                "logger": _librdkafka,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": _TRANSACTION_TIMEOUT_MS,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "compression.type": "lz4",
            }
        )
        self._reached: dict[int, int] = {}
        self._refused: KafkaError | None = None

    def open(self) -> None:
        """Fence off any producer of this name; returns once its last transaction is committed or aborted."""
        with _translated():
            self._producer.init_transactions(_CALL_SECONDS)

    def ends(self) -> Mapping[int, int]:
        """The end of each partition."""
        with _reader(self._config) as reader, _translated():
            return {
                partition: reader.get_watermark_offsets(TopicPartition(self._topic, partition), _CALL_SECONDS)[1]
                for partition in self._partitions()
            }

    def published_since(self, progress: Mapping[int, int]) -> Iterator[tuple[Sequence[str], Mapping[int, int]]]:
        """Event ids of committed messages, from the progress (or the beginning) to the end."""
        with _reader(self._config) as reader, _translated():
            unread = set(self._partitions())
            starts = [(partition, progress.get(partition, OFFSET_BEGINNING)) for partition in unread]
            reader.assign([TopicPartition(self._topic, partition, offset) for partition, offset in starts])
            while unread:
                messages = reader.consume(_PORTION, _READ_SECONDS)
                portion = _portion(messages)
                unread -= portion.ended
                yield portion.event_ids, portion.reached

    def publish(self, decisions: Sequence[QueuedDecision]) -> Mapping[int, int]:
        """One transaction."""
        self._reached, self._refused = {}, None
        with _translated():
            self._producer.begin_transaction()
            for decision in decisions:
                self._produce(decision)
            self._producer.flush(_CALL_SECONDS)
            if self._refused is not None:
                raise KafkaException(self._refused)
            self._producer.commit_transaction(_CALL_SECONDS)
        return self._reached

    def close(self) -> None:
        """Forget what is queued; an open transaction is left to `open` of the next one."""
        self._producer.purge()
        self._producer.poll(0)

    def _produce(self, decision: QueuedDecision) -> None:
        try:
            self._producer.produce(
                self._topic,
                key=decision.payment_id.encode(),
                value=self._serde.frame(PaymentDecision.FromString(decision.decision)),
                headers={**decision.headers, EVENT_ID: decision.event_id},
                on_delivery=self._note_delivery,
            )
        except BufferError:
            raise NeighbourUnavailableError("Kafka", "the producer's queue is full") from None
        self._producer.poll(0)

    def _note_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._refused = error
            return
        partition, offset = message.partition(), message.offset()
        if partition is not None and offset is not None:
            self._reached[partition] = max(self._reached.get(partition, 0), offset + 1)

    def _partitions(self) -> Sequence[int]:
        topic = self._producer.list_topics(self._topic, timeout=_CALL_SECONDS).topics[self._topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        return sorted(topic.partitions)


@dataclass
class _Portion:
    """What some messages tell."""

    event_ids: list[str] = field(default_factory=list)
    reached: dict[int, int] = field(default_factory=dict)
    # Partitions that were read to their end.
    ended: set[int] = field(default_factory=set)


def _portion(messages: Sequence[Message]) -> _Portion:
    portion = _Portion()
    for message in messages:
        partition, offset = cast("int", message.partition()), cast("int", message.offset())
        error = message.error()
        if error is None:
            portion.reached[partition] = offset + 1
            portion.event_ids += _event_ids(message)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - how the library names it
            portion.reached[partition] = offset
            portion.ended.add(partition)
        else:
            raise KafkaException(error)
    return portion


def _event_ids(message: Message) -> list[str]:
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return [value.decode("utf-8", "replace") for name, value in pairs if name == EVENT_ID and value is not None]


@contextmanager
def _reader(config: Mapping[str, Any]) -> Iterator[Consumer]:
    """A consumer that is in no group, and sees committed messages only."""
    reader = Consumer(
        {
            **config,
            "group.id": "tidegate-relay-recovery",  # asked for by librdkafka; never joined, never committed to
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise NeighbourUnavailableError("Kafka", str(error.args[0].name())) from None
    except SystemError:
        # confluent-kafka 2.16 sets a fatal error, such as being fenced, before it calls back: the call falls over.
        raise NeighbourUnavailableError("Kafka", "the producer was put out, or failed for good") from None
