"""What the normalizer's loop needs of a broker."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.runtime.consumer import Record
from services.runtime.producer import Outgoing


class BatchAbortedError(Exception):
    """A batch was taken back whole: nothing of it is visible, and `rewind` lets its records be read again."""


class MessagesTooLargeError(Exception):
    """Some of a delivery's messages are larger than can be published, ever; nothing of the delivery is visible.

    The batch is still in hand: `deliver` can be called again with other messages in their place.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        # Which ones, counted from 0 in the order of the delivery.
        self.numbers = tuple(numbers)
        super().__init__(f"{len(self.numbers)} messages are larger than the producer's message.max.bytes")


class StreamLostError(Exception):
    """The stream cannot go on, and nothing of the last batch is visible; a new stream can."""


class StreamHeldError(Exception):
    """A flood was stopped on these partitions, and nobody has said yet that reading may go on."""


class Stream(Protocol):
    """Reads records and publishes what they become, each batch in one transaction.

    A caller must not assume that a record is read only once: until `deliver` returns, another process or a later read
    may get it again. What is delivered is seen exactly once by a reader of committed messages.
    """

    def read(self) -> list[Record]:
        """The next batch, in order within each partition; empty where nothing came in time.

        Raises StreamLostError, and StreamHeldError where a partition is on hold.
        """
        ...

    def deliver(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish, and mark the last batch as consumed: both or neither.

        Raises MessagesTooLargeError, BatchAbortedError and StreamLostError.
        """
        ...

    def rewind(self) -> None:
        """Go back to what is committed: a batch that was not delivered is read again. Raises StreamLostError."""
        ...

    def hold(self, reason: str) -> None:
        """Leave the last batch unread and keep every process from its partitions until an operator lifts the hold."""
        ...

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Records not yet read, by topic and partition, as far as this stream knows."""
        ...

    def missing(self) -> str | None:
        """What keeps the stream from working at present, in words; None where nothing does. May take a second."""
        ...

    def close(self) -> None:
        """Give the partitions back."""
        ...
