"""Which offsets may be committed: those before the first record whose workflow is not started; pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.orchestrator.ports import Partition
from services.runtime.errors import Position


@dataclass(slots=True)
class _Progress:
    """One partition: offsets read and not yet passed, in order, and those of them that are done."""

    read: deque[int] = field(default_factory=deque)
    done: set[int] = field(default_factory=set)
    next_offset: int | None = None
    committed: int | None = None

    def pass_done(self) -> None:
        while self.read and self.read[0] in self.done:
            offset = self.read.popleft()
            self.done.discard(offset)
            self.next_offset = offset + 1


class Offsets:
    """Progress by partition. Records finish in any order; offsets are passed in the order read."""

    def __init__(self) -> None:
        self._partitions: dict[Partition, _Progress] = {}

    def begin(self, position: Position) -> None:
        """A record was read."""
        self._partitions.setdefault((position.topic, position.partition), _Progress()).read.append(position.offset)

    def finish(self, position: Position) -> None:
        """Its workflow is started; of no account where the partition has gone to another member."""
        progress = self._partitions.get((position.topic, position.partition))
        if progress is not None and position.offset in progress.read:
            progress.done.add(position.offset)
            progress.pass_done()

    def committable(self) -> dict[Partition, int]:
        """The next offset of each partition that has moved on since it was last committed."""
        return {
            partition: progress.next_offset
            for partition, progress in self._partitions.items()
            if progress.next_offset is not None and progress.next_offset != progress.committed
        }

    def committed(self, next_offsets: Mapping[Partition, int]) -> None:
        """The broker has these."""
        for partition, offset in next_offsets.items():
            if partition in self._partitions:
                self._partitions[partition].committed = offset

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These went to another member, which goes on from what was committed."""
        for partition in partitions:
            self._partitions.pop(partition, None)
