"""The stream over Kafka: a member of the consumer group that reads from where the store is."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from services.features.handler import Partition
from services.features.ports import Stream, StreamLostError
from services.features.sources import Topics
from services.runtime.consumer import BatchConsumer, Record
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.telemetry import logger

_log = logger(__name__)
_CALL_SECONDS: Final = 5.0
# How long an empty read waits; a signal to stop, and a partition to be placed, are noticed this late.
_IDLE_SECONDS: Final = 0.1
_CONSUMER_CONFIG: Final = {
    # A killed process's partitions wait this long for the next owner.
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 2_000,
    # A broker that is back is noticed this late.
    "reconnect.backoff.max.ms": 2_000,
    "queued.max.messages.kbytes": 16_384,
}


class KafkaStream(Stream):
    """A Stream. Not thread safe; librdkafka calls back on the thread that reads."""

    def __init__(self, config: Mapping[str, Any], topics: Topics, max_records: int) -> None:
        self._max_records = max_records
        self._unplaced: set[Partition] = set()
        self._ended: set[Partition] = set()
        self._consumer = BatchConsumer(
            {**_CONSUMER_CONFIG, **config},
            group=topics.group,
            topics=[topics.normalized, topics.decisions],
            on_assigned=self._note_assigned,
            on_revoked=self._note_revoked,
            on_end=self._note_end,
        )

    def owned(self) -> Sequence[Partition]:
        """Partitions of this member."""
        return sorted((at.topic, at.partition) for at in self._consumer.client.assignment())

    def unplaced(self) -> Sequence[Partition]:
        """Partitions that wait to be told where to read."""
        return sorted(self._unplaced)

    def place(self, offsets: Mapping[Partition, int | None]) -> Sequence[Partition]:
        """Read these from there on; those that begin with the first message."""
        return [partition for partition, offset in offsets.items() if self._place(partition, offset)]

    def take_back(self, partitions: Sequence[Partition]) -> None:
        """Pause these until they are placed anew."""
        taken = sorted(set(partitions).intersection(self.owned()))
        self._consumer.client.pause([TopicPartition(*partition) for partition in taken])
        self._unplaced.update(taken)
        self._ended.difference_update(taken)

    def read(self) -> list[Record]:
        """What has come while the last batch was worked on, or the first that comes, with what came beside it."""
        try:
            records = self._consumer.read(self._max_records, 0)
            if not records:
                records = self._consumer.read(1, _IDLE_SECONDS)
                records += self._consumer.read(self._max_records - 1, 0) if records else []
        except NeighbourUnavailableError as error:
            raise StreamLostError(str(error)) from error
        # Read before the pause took effect, or after a partition came and before it was paused.
        return [each for each in records if (each.position.topic, each.position.partition) not in self._unplaced]

    def take_ended(self) -> Sequence[Partition]:
        """Partitions of which everything was read since the last call."""
        ended, self._ended = self._ended - self._unplaced, set()
        return sorted(ended)

    def mirror(self, offsets: Mapping[Partition, int]) -> None:
        """Commit to the group, which nothing reads but who watches its lag."""
        try:
            self._consumer.commit(offsets)
        except NeighbourUnavailableError as error:
            _log.debug("batch.aborted", reason=str(error))

    def lag(self) -> Mapping[Partition, int]:
        """Messages not yet read."""
        return self._consumer.lag()

    def missing(self) -> str | None:
        """What is wrong with the connection."""
        return self._consumer.missing()

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _place(self, partition: Partition, offset: int | None) -> bool:
        """Whether it begins with the first message; a partition that cannot be placed just now stays unplaced."""
        client, at = self._consumer.client, TopicPartition(*partition)
        try:
            first, end = client.get_watermark_offsets(at, timeout=_CALL_SECONDS)
            start = offset if offset is not None and first <= offset <= end else OFFSET_BEGINNING
            client.seek(TopicPartition(*partition, start))
            client.resume([at])
        except KafkaException as error:
            _log.warning("broker.unavailable", reason=error.args[0].name(), partition=partition)
            return False
        self._unplaced.discard(partition)
        if offset is not None and start == OFFSET_BEGINNING:
            _log.error("stream.gap", partition=partition, stored=offset, first=first, end=end)
        return start == OFFSET_BEGINNING

    def _note_assigned(self, partitions: list[TopicPartition]) -> None:
        self._consumer.client.incremental_assign(partitions)
        self._consumer.client.pause(partitions)
        self._unplaced |= {(at.topic, at.partition) for at in partitions}
        _log.info("partitions.assigned", partitions=_names(partitions))

    def _note_revoked(self, partitions: list[TopicPartition]) -> None:
        self._unplaced -= {(at.topic, at.partition) for at in partitions}
        _log.info("partitions.revoked", partitions=_names(partitions))

    def _note_end(self, topic: str, partition: int) -> None:
        self._ended.add((topic, partition))


def _names(partitions: Sequence[TopicPartition]) -> list[str]:
    return sorted(f"{each.topic}[{each.partition}]" for each in partitions)
