"""Reads the topic of predictions from given offsets to where it ends now; commits nothing to Kafka."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from mlops.pipelines.lib.catalog import LakeUnavailableError
from mlops.topic_reading import CALL_SECONDS, PATIENCE_SECONDS, SILENT, no_topic, reader_config, unreadable

_AT_ONCE: Final = 1000
_POLL_SECONDS: Final = 0.2


class TopicShortenedError(Exception):
    """What was to be read next is no longer there; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Offsets of one partition: of the first message there is, and behind the last."""

    first: int
    end: int


class PredictionLog:
    """A topic, as it is when this is made; to be iterated over once."""

    def __init__(self, config: Mapping[str, Any], topic: str) -> None:
        self._config, self._topic = reader_config(config, "tidegate-lake"), topic
        with closing(Consumer(self._config)) as consumer:
            try:
                metadata = consumer.list_topics(topic, CALL_SECONDS)
                known = metadata.topics[topic]
                if known.error is not None:
                    raise LakeUnavailableError(no_topic(topic, known.error.name()))
                self.cluster = str(metadata.cluster_id)
                self.ends = {
                    number: Ends(*consumer.get_watermark_offsets(TopicPartition(topic, number), CALL_SECONDS))
                    for number in sorted(known.partitions)
                }
            except KafkaException as error:
                raise self._away(error.args[0]) from error

    def messages(self, start: Mapping[int, int], at_once: int) -> Iterator[tuple[Sequence[Message], Mapping[int, int]]]:
        """Messages from these offsets on, so many at a time, with the offsets behind them."""
        # With partitions that are there no more.
        position = {**start, **{number: start.get(number, ends.first) for number, ends in self.ends.items()}}
        self._check(position)
        left = {number for number, ends in self.ends.items() if position[number] < ends.end}
        if not left:
            return
        with closing(Consumer(self._config)) as consumer:
            consumer.assign([TopicPartition(self._topic, number, position[number]) for number in left])
            found: list[Message] = []
            quiet = 0.0
            while left:
                records = consumer.consume(_AT_ONCE, _POLL_SECONDS)
                quiet = 0.0 if records else quiet + _POLL_SECONDS
                if quiet > PATIENCE_SECONDS:
                    raise LakeUnavailableError(SILENT)
                for record in records:
                    self._take(record, found, position, left)
                if len(found) >= at_once:
                    yield found, dict(position)
                    found = []
            if found or position != start:
                yield found, dict(position)

    def _take(self, record: Message, found: list[Message], position: dict[int, int], left: set[int]) -> None:
        number, error, offset = cast("int", record.partition()), record.error(), cast("int", record.offset())
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
            raise self._away(error)
        if number not in left:
            return
        if error is None and offset < self.ends[number].end:
            found.append(record)
            position[number] = offset + 1
        # Behind the last message may lie what marks the end of a producer's transaction.
        if error is not None or position[number] >= self.ends[number].end or offset >= self.ends[number].end:
            position[number] = self.ends[number].end
            left.discard(number)

    def _check(self, position: Mapping[int, int]) -> None:
        for number, offset in position.items():
            ends = self.ends.get(number, Ends(0, 0))
            if not ends.first <= offset <= ends.end:
                raise TopicShortenedError(
                    f"{self._topic}, partition {number}: the next offset to read is {offset}, and there are "
                    f"{ends.first} to {ends.end}. Either retention was faster than the ingest, or the topic was made "
                    "anew. `python -m mlops.pipelines adopt predictions` goes on with what there is; what is missing "
                    "stays missing"
                )

    def _away(self, error: KafkaError) -> LakeUnavailableError:
        return LakeUnavailableError(unreadable(self._topic, error.name()))
