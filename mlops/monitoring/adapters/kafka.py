"""Reads topics from their first message to where they end at the start; a member of no group, which commits nothing."""

import heapq
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Generic, TypeVar, cast

import protovalidate
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Record
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import SerializationError
from google.protobuf.message import Message
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import payment_fact, score_fact
from mlops.monitoring.ports import UnavailableError
from mlops.monitoring.replay import Arrival
from mlops.topic_reading import CALL_SECONDS, PATIENCE_SECONDS, SILENT, no_topic, reader_config, unreadable

_MILLISECOND_US: Final = 1000
# Of each partition that is read; six of a topic are, at the same time.
_QUEUED: Final = {"queued.max.messages.kbytes": 8192}

M = TypeVar("M", bound=Message)

_validator = protovalidate.Validator()


@dataclass(frozen=True, slots=True)
class _Bound:
    partition: int
    first: int
    end: int


class Topic(Generic[M]):
    """What a topic holds when this is made. UnavailableError where it cannot be had, now or while it is read.

    Iterating over it gives messages with the moment at which the broker had each, microseconds since 1970: in order
    within a partition, and by that moment between them. What cannot be read is counted in `unreadable`, and skipped.
    """

    def __init__(self, config: Mapping[str, Any], name: str, message_type: type[M]) -> None:
        self._config = {**reader_config(config, "tidegate-monitoring"), **_QUEUED}
        self._name = name
        self._read = ProtobufDeserializer(message_type, {"use.deprecated.format": False})
        self._bounds = self._found()
        self.unreadable = 0

    def __iter__(self) -> Iterator[tuple[int, M]]:
        return heapq.merge(*map(self._messages, self._bounds), key=lambda each: each[0])

    @cached_property
    def complete_from_us(self) -> int | None:
        """Since when it has all that was written, where it no longer begins with its first message; else None."""
        firsts = [self._moment_of_first(bound) for bound in self._bounds if 0 < bound.first < bound.end]
        return max(firsts, default=None)

    def _found(self) -> Sequence[_Bound]:
        with closing(Consumer(self._config)) as consumer:
            try:
                known = consumer.list_topics(self._name, CALL_SECONDS).topics[self._name]
                if known.error is not None:
                    raise UnavailableError(no_topic(self._name, known.error.name()))
                return [self._bound(consumer, partition) for partition in sorted(known.partitions)]
            except KafkaException as error:
                raise self._away(error.args[0]) from error

    def _bound(self, consumer: Consumer, partition: int) -> _Bound:
        at = TopicPartition(self._name, partition)
        first, end = consumer.get_watermark_offsets(at, timeout=CALL_SECONDS)
        return _Bound(partition, first, end)

    def _moment_of_first(self, bound: _Bound) -> int:
        with closing(self._records(bound)) as records:
            return next((_moment_us(record) for record in records), 0)

    def _messages(self, bound: _Bound) -> Iterator[tuple[int, M]]:
        with closing(self._records(bound)) as records:
            for record in records:
                try:
                    message: Any = self._read(record.value())
                except SerializationError:
                    message = None
                if message is None or _validator.collect_violations(message):
                    self.unreadable += 1
                else:
                    yield _moment_us(record), message

    def _records(self, bound: _Bound) -> Generator[Record, None, None]:
        if bound.first >= bound.end:
            return
        with closing(Consumer(self._config)) as consumer:
            consumer.assign([TopicPartition(self._name, bound.partition, bound.first)])
            offset = bound.first - 1
            while offset < bound.end - 1:
                record = consumer.poll(PATIENCE_SECONDS)
                if record is None:
                    raise UnavailableError(SILENT)
                error = record.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                    return
                if error is not None:
                    raise self._away(error)
                offset = cast("int", record.offset())
                if offset < bound.end:
                    yield record

    def _away(self, error: KafkaError) -> UnavailableError:
        return UnavailableError(unreadable(self._name, error.name()))


def _moment_us(record: Record) -> int:
    _, milliseconds = record.timestamp()
    return milliseconds * _MILLISECOND_US


def event_arrivals(events: Topic[UnifiedPaymentEvent]) -> Iterator[Arrival]:
    """The facts of events, as they came."""
    return (Arrival(at_us, payment_fact(event), event) for at_us, event in events)


def score_arrivals(decisions: Topic[PaymentDecision]) -> Iterator[Arrival]:
    """The same of fraud scores."""
    return (Arrival(at_us, fact) for at_us, decision in decisions if (fact := score_fact(decision)) is not None)
