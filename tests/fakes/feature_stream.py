"""The feature stream's broker in memory: partitions of records, and a member that may lose them."""

from collections.abc import Mapping, Sequence

from services.features.handler import Partition
from services.features.ports import Stream
from services.runtime.consumer import Record


class MemoryStream(Stream):
    """A Stream over all partitions there are."""

    def __init__(self, records: Mapping[Partition, Sequence[Record]], batch: int = 4) -> None:
        self.records = {partition: list(each) for partition, each in records.items()}
        self.mirrored: dict[Partition, int] = {}
        self.down: str | None = None
        self.closed = False
        # Whether nobody is told of ends just now, as while the broker takes its time.
        self.ends_withheld = False
        # Each placement, as it was asked for.
        self.placements: list[tuple[Partition, int | None]] = []
        self._batch = batch
        self._positions: dict[Partition, int] = {}
        self._unplaced = set(self.records)
        self._ended: set[Partition] = set()

    def owned(self) -> Sequence[Partition]:
        return sorted(self.records)

    def unplaced(self) -> Sequence[Partition]:
        return sorted(self._unplaced)

    def place(self, offsets: Mapping[Partition, int | None]) -> Sequence[Partition]:
        for partition, offset in offsets.items():
            self._positions[partition] = offset or 0
            self.placements.append((partition, offset))
        self._unplaced.difference_update(offsets)
        return [partition for partition, offset in offsets.items() if offset is None]

    def take_back(self, partitions: Sequence[Partition]) -> None:
        self._unplaced.update(partition for partition in partitions if partition in self.records)

    def read(self) -> list[Record]:
        found: list[Record] = []
        for partition, records in self.records.items():
            if partition in self._unplaced:
                continue
            start = self._positions[partition]
            found += records[start : start + self._batch]
            self._positions[partition] = min(len(records), start + self._batch)
            if self._positions[partition] == len(records):
                self._ended.add(partition)
        return found

    def take_ended(self) -> Sequence[Partition]:
        if self.ends_withheld:
            return []
        ended, self._ended = self._ended - self._unplaced, set()
        return sorted(ended)

    def mirror(self, offsets: Mapping[Partition, int]) -> None:
        self.mirrored.update(offsets)

    def lag(self) -> Mapping[Partition, int]:
        """Of what was read from: of others librdkafka knows no position."""
        return {at: len(records) - self._positions.get(at, 0) for at, records in self.records.items() if records}

    def missing(self) -> str | None:
        return self.down

    def close(self) -> None:
        self.closed = True
