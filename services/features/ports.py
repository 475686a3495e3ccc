"""What the feature stream needs of a broker and of a store."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol

from mlops.features.online import Stored
from services.features.handler import EntityKey, Partition, PartitionWrite
from services.runtime.consumer import Record
from services.runtime.errors import NeighbourUnavailableError


class StoreFullError(NeighbourUnavailableError):
    """The store refuses to write since its memory is used up; reading works."""


class Outcome(Enum):
    """What became of a PartitionWrite."""

    WRITTEN = "written"
    # The store stands elsewhere: it came back older or empty, or another process has this partition.
    MOVED = "moved"
    # An entity was written since it was read, through another partition.
    CONFLICT = "conflict"


class FeatureStore(Protocol):
    """Holds entities, and how far each partition is in them.

    A caller must not assume that what was written stays: a store may come back a second older, or empty. Offsets and
    entities are of one moment all the same. After an error nobody knows whether a write was done; the offsets say.
    """

    def offsets(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """The next message to apply of each partition; None where nothing of it is in the store.

        Raises NeighbourUnavailableError.
        """
        ...

    def read(self, keys: Sequence[EntityKey]) -> Sequence[Stored]:
        """What is held of each entity. Raises NeighbourUnavailableError."""
        ...

    def write(self, writes: Sequence[PartitionWrite]) -> Sequence[Outcome]:
        """Do each of them in turn. Raises NeighbourUnavailableError, and StoreFullError."""
        ...

    def rebuilding(self) -> frozenset[Partition]:
        """Partitions that are said to be built anew, by whichever process. Raises NeighbourUnavailableError."""
        ...

    def say_rebuilding(self, partitions: Sequence[Partition], *, done: bool = False) -> None:
        """Tell readers that what these partitions make of entities is not all there yet, or that it is.

        Raises NeighbourUnavailableError, and StoreFullError.
        """
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class StreamLostError(Exception):
    """The stream cannot go on; a new one can."""


class Stream(Protocol):
    """Reads the partitions that the group gives to this process, each from where it is told to.

    A caller must not assume that a partition stays: another process may have it by the time its messages are applied.
    """

    def owned(self) -> Sequence[Partition]:
        """Partitions that the group has given to this process."""
        ...

    def unplaced(self) -> Sequence[Partition]:
        """Partitions that wait to be told where to read: those that came, and those that were taken back."""
        ...

    def place(self, offsets: Mapping[Partition, int | None]) -> Sequence[Partition]:
        """Read these from there on, None for the first message there is; those that do so from the very first.

        A message that the topic no longer has is skipped, and said so. Those that cannot be placed yet stay unplaced.
        """
        ...

    def take_back(self, partitions: Sequence[Partition]) -> None:
        """Read no more of these until they are placed anew."""
        ...

    def read(self) -> list[Record]:
        """The next messages of placed partitions, in order within each; empty where nothing came in time.

        Raises StreamLostError.
        """
        ...

    def take_ended(self) -> Sequence[Partition]:
        """Partitions whose last message is among those read since the last call, or was before."""
        ...

    def mirror(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group how far the store is, for those who watch its lag. Nothing depends on it, and it may fail."""
        ...

    def lag(self) -> Mapping[Partition, int]:
        """Messages not yet read, as far as this stream knows."""
        ...

    def missing(self) -> str | None:
        """What keeps the stream from working at present, in words; None where nothing does. May take a second."""
        ...

    def close(self) -> None:
        """Give the partitions back."""
        ...
