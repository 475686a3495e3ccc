"""From records to facts: every message is checked on the way, and one that cannot be read is told, not raised."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import PaymentFact, payment_fact, score_fact
from services.features.handler import Partition, Run
from services.features.sources import Topics
from services.runtime.consumer import Record
from services.runtime.errors import InvalidMessageError
from services.runtime.serde import SchemaIds, TopicSerde

Decoded: TypeAlias = "PaymentFact | InvalidMessageError | None"
"""None where a message tells nothing that features are made of."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of placed partitions, decoded."""

    decoded: Sequence[tuple[Record, Decoded]]

    @property
    def failed(self) -> Sequence[bool]:
        """Which ones cannot be read."""
        return [isinstance(told, InvalidMessageError) for _, told in self.decoded]

    def runs(self) -> Sequence[Run]:
        """The facts of each partition, and the message behind them."""
        facts: dict[Partition, list[PaymentFact]] = {}
        ends: dict[Partition, int] = {}
        for record, told in self.decoded:
            partition = (record.position.topic, record.position.partition)
            ends[partition] = record.position.offset + 1
            facts.setdefault(partition, []).extend([told] if isinstance(told, PaymentFact) else [])
        return [Run(partition, facts[partition], end) for partition, end in ends.items()]


class Decoder:
    """Knows the topics. May call the registry, where a schema id is met for the first time."""

    def __init__(self, topics: Topics, ids: SchemaIds) -> None:
        self._topics = topics
        self._events = TopicSerde(topics.normalized, UnifiedPaymentEvent, ids)
        self._decisions = TopicSerde(topics.decisions, PaymentDecision, ids)

    def decode(self, records: Sequence[Record]) -> Batch:
        """Facts in the order of the records. Raises NeighbourUnavailableError."""
        return Batch([(record, self._decoded(record)) for record in records])

    def _decoded(self, record: Record) -> Decoded:
        at = record.position
        try:
            if at.topic == self._topics.normalized:
                return payment_fact(self._events.decode(record.value, partition=at.partition, offset=at.offset))
            return score_fact(self._decisions.decode(record.value, partition=at.partition, offset=at.offset))
        except InvalidMessageError as error:
            return error
