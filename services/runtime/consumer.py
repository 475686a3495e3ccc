"""Reads batches from Kafka as plain records, with partitions, headers and lag."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.runtime.errors import NeighbourUnavailableError, Position
from services.runtime.telemetry import logger

_PROBE_SECONDS: Final = 1.0

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One message as read."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]


class BatchConsumer:
    """A member of a consumer group that commits only what it is told to. Read-committed; not thread safe."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        group: str,
        topics: Sequence[str],
        on_revoked: Callable[[list[TopicPartition]], None] | None = None,
        on_assigned: Callable[[list[TopicPartition]], None] | None = None,
        on_end: Callable[[str, int], None] | None = None,
    ) -> None:
        """`on_end` is told the topic and partition whenever a read has come to its end."""
        # librdkafka may call back on a thread of its own.
        self._brokers_down = threading.Event()
        self._consumer = Consumer(
            {
                "error_cb": self._note_error,
                **config,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "fetch.wait.max.ms": 20,
                "enable.partition.eof": on_end is not None,
            }
        )
        self._failure: NeighbourUnavailableError | None = None
        self._on_end = on_end
        listeners = {"on_revoke": on_revoked, "on_assign": on_assigned}
        options = {name: _without_consumer(listen) for name, listen in listeners.items() if listen is not None}
        self._consumer.subscribe(list(topics), **options)

    def read(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Up to that many records, or what has come by the timeout; keep it at 5-20 ms under load.

        Raises NeighbourUnavailableError when the consumer cannot go on. Records that came beside the failure are handed
        over first, since the consumer's position is already behind them; the failure is raised by the next read.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        try:
            messages = self._consumer.consume(max_records, timeout_seconds)
        except KafkaException as error:
            raise NeighbourUnavailableError("Kafka", error.args[0].name()) from error
        records = [_record(message) for message in messages if message.error() is None]
        self._failure = next(filter(None, map(_failure, messages)), None)
        self._tell_ends(messages)
        return records if records or self._failure is None else self.read(max_records, timeout_seconds)

    def _tell_ends(self, messages: Sequence[Message]) -> None:
        if self._on_end is None:
            return
        for message in messages:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                self._on_end(str(message.topic()), cast("int", message.partition()))

    def commit(self, next_offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit, for each partition, the offset of the next record to read; returns when the broker has it."""
        if not next_offsets:
            return
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in next_offsets.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise NeighbourUnavailableError("Kafka", error.args[0].name()) from error

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Records between this member's position and the end of each of its partitions, as last fetched.

        Empty where that is unknown for the moment, as during a rebalance.
        """
        lags = {}
        try:
            for at in self._consumer.position(self._consumer.assignment()):
                _, high = self._consumer.get_watermark_offsets(TopicPartition(at.topic, at.partition), cached=True)
                if at.offset >= 0 and high >= 0:
                    lags[at.topic, at.partition] = max(0, high - at.offset)
        except KafkaException:
            return {}
        return lags

    def missing(self) -> str | None:
        """What is wrong with the connection, where librdkafka has said that no broker answers."""
        if not self._brokers_down.is_set():
            return None
        try:
            self._consumer.list_topics(timeout=_PROBE_SECONDS)
        except KafkaException as error:
            return f"Kafka does not answer: {error.args[0].name()}"
        self._brokers_down.clear()
        return None

    @property
    def client(self) -> Consumer:
        """The librdkafka consumer itself, for transactions, seeks and pauses."""
        return self._consumer

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _note_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self._brokers_down.is_set():  # noqa: SLF001 - its name
            self._brokers_down.set()
            _log.warning("broker.unavailable", reason=error.name())


def _without_consumer(listen: Callable[[list[TopicPartition]], None]) -> Callable[[Any, list[TopicPartition]], None]:
    return lambda _, partitions: listen(partitions)


def _failure(message: Message) -> NeighbourUnavailableError | None:
    """What makes going on pointless; librdkafka recovers from all other errors by itself."""
    error = message.error()
    if error is not None and (error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART):
        return NeighbourUnavailableError("Kafka", error.name())
    return None


def _record(message: Message) -> Record:
    # The library types headers as list or dict and positions as optional; a consumed message has a list and all three.
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    headers = {name: value.decode("utf-8", "replace") for name, value in pairs if value is not None}
    position = Position(str(message.topic()), cast("int", message.partition()), cast("int", message.offset()))
    return Record(position, message.key(), message.value(), headers)
