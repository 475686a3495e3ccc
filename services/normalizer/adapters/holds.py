"""Holds after a flood: kept beside the group's committed offsets, so that a restart or a peer cannot overlook them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.normalizer.sources import Topics
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError

_MARK = "hold: "
_SECONDS = 5.0
# The broker's limit for an offset's metadata is 4096 bytes.
_LONGEST_REASON = 1024


def held_at(topic: str, partition: int, offset: int, reason: str) -> TopicPartition:
    """An offset to commit that says: do not read on from here."""
    return TopicPartition(topic, partition, offset, metadata=(_MARK + reason)[:_LONGEST_REASON])


def reasons(committed: Iterable[TopicPartition]) -> list[str]:
    """Why partitions are on hold; one line for each partition that is."""
    return [
        f"{at.topic}[{at.partition}]@{at.offset} {at.metadata.removeprefix(_MARK)}"
        for at in committed
        if at.metadata and at.metadata.startswith(_MARK)
    ]


class GroupOffsets:
    """The group's committed offsets, looked at from outside the group."""

    def __init__(self, config: Mapping[str, Any], topics: Topics) -> None:
        self._topics = topics
        self._consumer = Consumer(
            {**config, "group.id": topics.group, "enable.auto.commit": False, "isolation.level": "read_committed"}
        )

    def holds(self) -> list[str]:
        """Why partitions are on hold. Raises DeployStepMissingError when a topic does not exist."""
        return reasons(self._committed())

    def lift(self) -> list[str]:
        """Take all holds away and return what they said; reading goes on where it was stopped.

        Raises NeighbourUnavailableError, also while a process is still a member of the group.
        """
        held = [at for at in self._committed() if reasons([at])]
        if held:
            try:
                self._consumer.commit(
                    offsets=[TopicPartition(at.topic, at.partition, at.offset) for at in held], asynchronous=False
                )
            except KafkaException as error:
                raise _unavailable(error) from error
        return reasons(held)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _committed(self) -> Sequence[TopicPartition]:
        try:
            return list(self._consumer.committed(self._partitions(), timeout=_SECONDS))
        except KafkaException as error:
            raise _unavailable(error) from error

    def _partitions(self) -> list[TopicPartition]:
        known = self._consumer.list_topics(timeout=_SECONDS).topics
        needed = [*self._topics.inputs, self._topics.normalized, self._topics.failures]
        if absent := [topic for topic in needed if topic not in known]:
            raise DeployStepMissingError(f"Kafka has no topic {', '.join(absent)}; `make up` creates the topics")
        return [
            TopicPartition(topic, partition) for topic in self._topics.inputs for partition in known[topic].partitions
        ]


def _unavailable(error: KafkaException) -> NeighbourUnavailableError:
    return NeighbourUnavailableError("Kafka", str(error.args[0].name()))
