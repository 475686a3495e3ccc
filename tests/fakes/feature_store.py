"""The online store in memory, with what can happen to one: it goes away, is full, comes back older, or empty."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

from mlops.features.online import NOTHING, Stored
from services.features.handler import EntityKey, Partition, PartitionWrite
from services.features.ports import FeatureStore, Outcome, StoreFullError
from services.runtime.errors import NeighbourUnavailableError


@dataclass
class Held:
    """What outlives a connection."""

    offsets: dict[Partition, int] = field(default_factory=dict)
    entities: dict[EntityKey, Stored] = field(default_factory=dict)
    rebuilding: set[Partition] = field(default_factory=set)


class MemoryFeatureStore(FeatureStore):
    """A FeatureStore."""

    def __init__(self) -> None:
        self.held = Held()
        self.away = False
        self.full = False
        # How many writes more are done whose answers are lost.
        self.answers_lost = 0

    def snapshot(self) -> Held:
        """What a backup would have."""
        return deepcopy(self.held)

    def offsets(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        self._answer()
        return {partition: self.held.offsets.get(partition) for partition in partitions}

    def read(self, keys: Sequence[EntityKey]) -> Sequence[Stored]:
        self._answer()
        return [self.held.entities.get(key, NOTHING) for key in keys]

    def write(self, writes: Sequence[PartitionWrite]) -> Sequence[Outcome]:
        self._answer()
        if self.full:
            raise StoreFullError("memory", "full")
        outcomes = [self._write(write) for write in writes]
        if self.answers_lost:
            self.answers_lost -= 1
            raise NeighbourUnavailableError("memory", "the answer is lost")
        return outcomes

    def rebuilding(self) -> frozenset[Partition]:
        self._answer()
        return frozenset(self.held.rebuilding)

    def say_rebuilding(self, partitions: Sequence[Partition], *, done: bool = False) -> None:
        self._answer()
        if done:
            self.held.rebuilding.difference_update(partitions)
        else:
            self.held.rebuilding.update(partitions)

    def close(self) -> None:
        """Nothing to give back."""

    def _answer(self) -> None:
        if self.away:
            raise NeighbourUnavailableError("memory", "away")

    def _write(self, write: PartitionWrite) -> Outcome:
        if self.held.offsets.get(write.partition) != write.expected_offset:
            return Outcome.MOVED
        entities = self.held.entities
        if any(entities.get(key, NOTHING).revision != after.revision for key, after in write.entities.items()):
            return Outcome.CONFLICT
        for key, after in write.entities.items():
            entities[key] = replace(after, revision=write.revision)
        self.held.offsets[write.partition] = write.next_offset
        return Outcome.WRITTEN
