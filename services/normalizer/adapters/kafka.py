"""The stream over Kafka: a member of the consumer group whose offsets are committed by the producer's transactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from services.normalizer.adapters.holds import held_at, reasons
from services.normalizer.adapters.transactions import TransactionalProducer
from services.normalizer.ports import BatchAbortedError, StreamHeldError, StreamLostError
from services.normalizer.sources import Topics
from services.runtime.consumer import BatchConsumer, Record
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.producer import Outgoing
from services.runtime.telemetry import logger

_log = logger(__name__)
_CALL_SECONDS = 10.0
_CONSUMER_CONFIG = {
    # A killed process's partitions wait this long for the next owner.
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 2_000,
    # A broker that is back is noticed this late.
    "reconnect.backoff.max.ms": 2_000,
    # Webhook bodies are kept in memory ahead of the reader: bounded, for 500 take a few MB.
    "queued.max.messages.kbytes": 16_384,
}


@dataclass(frozen=True, slots=True)
class BatchBounds:
    """How long a batch may grow."""

    # Most records of one transaction.
    records: int
    # How long the first record waits for others to share its transaction.
    linger_seconds: float
    # How long an empty read waits; a signal to stop is noticed this late.
    idle_seconds: float = 0.2


class KafkaStream:
    """A Stream. Not thread safe."""

    def __init__(
        self, config: Mapping[str, Any], topics: Topics, producer: TransactionalProducer, bounds: BatchBounds
    ) -> None:
        self._producer = producer
        self._bounds = bounds
        self._unchecked: list[TopicPartition] = []
        self._has_lost_partitions = False
        self._batch: list[Record] = []
        self._consumer = BatchConsumer(
            {**_CONSUMER_CONFIG, **config},
            group=topics.group,
            topics=list(topics.inputs),
            on_assigned=self._note_assigned,
            on_revoked=self._note_revoked,
        )

    def read(self) -> list[Record]:
        """The next batch, in order within each partition; empty where nothing came in time."""
        try:
            self._batch = self._gather()
            if self._unchecked:
                self._refuse_held_partitions()
        except NeighbourUnavailableError as error:
            raise StreamLostError(str(error)) from error
        return self._batch

    def deliver(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish and commit the batch's offsets in one transaction."""
        offsets = [
            TopicPartition(topic, partition, last + 1) for (topic, partition), (_, last) in self._batch_ends().items()
        ]
        self._producer.publish(outgoing, offsets, self._membership())
        self._batch = []

    def rewind(self) -> None:
        """Go back to what is committed: the consumer's own position is already past the batch."""
        self._batch = []
        client = self._consumer.client
        try:
            for at in client.committed(client.assignment(), timeout=_CALL_SECONDS):
                client.seek(TopicPartition(at.topic, at.partition, at.offset if at.offset >= 0 else OFFSET_BEGINNING))
        except KafkaException as error:
            raise StreamLostError(f"the reading position is lost: {error.args[0].name()}") from error

    def hold(self, reason: str) -> None:
        """Commit where the batch begins, marked, so that no process reads on."""
        ends = self._batch_ends().items()
        marks = [held_at(topic, partition, first, reason) for (topic, partition), (first, _) in ends]
        try:
            self._consumer.client.commit(offsets=marks, asynchronous=False)
        except KafkaException as error:
            raise StreamLostError(f"the hold could not be stored: {error.args[0].name()}") from error

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Records not yet read, by topic and partition."""
        return self._consumer.lag()

    def missing(self) -> str | None:
        """What is wrong with the connection."""
        return self._consumer.missing()

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _gather(self) -> list[Record]:
        """Wait for a first record, then shortly for others.

        Partitions come and go only inside these reads. Should one go after its records were read, its next owner reads
        them too, and committing them here would make them count twice: the batch is dropped and read anew.
        """
        self._has_lost_partitions = False
        records = self._consumer.read(1, self._bounds.idle_seconds)
        if records:
            records += self._consumer.read(self._bounds.records - 1, self._bounds.linger_seconds)
        if self._has_lost_partitions and records:
            self.rewind()
            return []
        return records

    def _membership(self) -> object:
        """What proves to the broker that the batch's partitions are still ours; it refuses a proof of the past.

        A process that was paused for longer than the session is no member any more, as librdkafka notices in the
        background. Its proof is then an empty one. Kafka 4 refuses that; older brokers may take it without a check, as
        from old clients, while the batch is another's. So the proof is asked for between two looks at the membership.
        """
        client = self._consumer.client
        member = client.memberid()
        proof = client.consumer_group_metadata()
        if not member or client.memberid() != member:
            raise BatchAbortedError("this process is no member of the group at present")
        return proof

    def _refuse_held_partitions(self) -> None:
        unchecked, self._unchecked = self._unchecked, []
        try:
            committed = self._consumer.client.committed(unchecked, timeout=_CALL_SECONDS)
        except KafkaException as error:
            raise NeighbourUnavailableError("Kafka", error.args[0].name()) from error
        if held := reasons(committed):
            raise StreamHeldError("; ".join(held))

    def _batch_ends(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        """First and last offset of the batch in each partition."""
        ends: dict[tuple[str, int], tuple[int, int]] = {}
        for record in self._batch:
            at = record.position
            first, _ = ends.get((at.topic, at.partition), (at.offset, at.offset))
            ends[at.topic, at.partition] = (first, at.offset)
        return ends

    def _note_assigned(self, partitions: list[TopicPartition]) -> None:
        self._unchecked = [*self._unchecked, *partitions]
        _log.info("partitions.assigned", partitions=_by_topic(partitions))

    def _note_revoked(self, partitions: list[TopicPartition]) -> None:
        self._has_lost_partitions = True
        self._unchecked = [at for at in self._unchecked if at not in partitions]
        _log.info("partitions.revoked", partitions=_by_topic(partitions))


def _by_topic(partitions: Sequence[TopicPartition]) -> Mapping[str, list[int]]:
    by_topic: dict[str, list[int]] = {}
    for at in partitions:
        by_topic.setdefault(at.topic, []).append(at.partition)
    return by_topic
