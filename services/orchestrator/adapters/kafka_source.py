"""Reads the orchestrator's topics as a member of its consumer group."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from services.orchestrator.ports import Partition
from services.runtime.consumer import BatchConsumer, Record
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.metrics import gauge
from services.runtime.telemetry import logger

log = logger(__name__)

_CHECK_SECONDS = 2.0
# After a kill the group waits this long before the partitions go to another member; librdkafka's default is 45 s.
_SESSION = {"session.timeout.ms": 10_000, "heartbeat.interval.ms": 2_000}


class KafkaSource:
    """A Source over one consumer. librdkafka calls back on the thread that reads, so that nothing here overlaps."""

    def __init__(self, config: Mapping[str, Any], *, group: str, topics: Sequence[str]) -> None:
        self._group = group
        self._revoked: list[Partition] = []
        self._holding = False
        self._consumer = BatchConsumer(
            {**_SESSION, **config, "logger": logging.getLogger("librdkafka")},
            group=group,
            topics=topics,
            on_revoked=self._note_revoked,
            on_assigned=self._note_assigned,
        )

    def read(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """What is there now, or the first that comes by the timeout.

        All of it from one read of the consumer: partitions come and go within those, and one that goes after a record
        of it was read would have the record committed here while it is another's to start.
        """
        return self._consumer.read(max_records, 0) or self._consumer.read(1, timeout_seconds)

    def hold(self) -> None:
        """Pause all partitions; those that come while holding are paused as they come."""
        if not self._holding:
            self._holding = True
            self._consumer.client.pause(self._consumer.client.assignment())

    def go_on(self) -> None:
        """Resume all partitions."""
        if self._holding:
            self._holding = False
            self._consumer.client.resume(self._consumer.client.assignment())

    def take_revoked(self) -> Sequence[Partition]:
        """Partitions lost since the last call."""
        revoked, self._revoked = self._revoked, []
        return revoked

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Commit and wait for the broker."""
        self._consumer.commit(next_offsets)

    def check(self) -> None:
        """Ask the broker for a sign of life, since librdkafka reports its absence to nobody; measure the lag."""
        try:
            self._consumer.client.list_topics(timeout=_CHECK_SECONDS)
        except KafkaException as error:
            raise NeighbourUnavailableError("Kafka", error.args[0].name()) from error
        for (topic, partition), lag in self._consumer.lag().items():
            gauge("tidegate_consumer_lag").labels(self._group, topic, str(partition)).set(lag)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _note_assigned(self, partitions: list[TopicPartition]) -> None:
        log.info("partitions.assigned", partitions=_names(partitions))
        if self._holding:
            self._consumer.client.incremental_assign(partitions)
            self._consumer.client.pause(partitions)

    def _note_revoked(self, partitions: list[TopicPartition]) -> None:
        log.info("partitions.revoked", partitions=_names(partitions))
        self._revoked += [(each.topic, each.partition) for each in partitions]


def _names(partitions: Sequence[TopicPartition]) -> list[str]:
    return sorted(f"{each.topic}[{each.partition}]" for each in partitions)
