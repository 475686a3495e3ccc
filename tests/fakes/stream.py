"""The normalizer's stream in memory: one topic of records, what is committed of it, and what was delivered."""

from collections.abc import Mapping, Sequence

from services.normalizer.ports import BatchAbortedError, MessagesTooLargeError, StreamHeldError
from services.runtime.consumer import Record
from services.runtime.producer import Outgoing


class MemoryBroker:
    """What outlives a process: records, the committed position, holds and deliveries."""

    def __init__(self, records: Sequence[Record], batch: int = 100) -> None:
        self.records = list(records)
        self.batch = batch
        self.committed = 0
        self.held: str | None = None
        self.delivered: list[Outgoing] = []

    def connect(self) -> "MemoryStream":
        """A stream over it, as another start of the process has."""
        return MemoryStream(self)


class MemoryStream:
    """A Stream over a broker in memory. Deliveries can be made to fail, by what they then raise."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._position = broker.committed
        self._batch_start = broker.committed
        self.failures: list[Exception] = []
        # Bytes of the largest value that is taken.
        self.largest = 1_048_576
        self.down: str | None = None
        self.closed = False

    @property
    def delivered(self) -> list[Outgoing]:
        """What a reader of committed messages sees."""
        return self._broker.delivered

    @property
    def held(self) -> str | None:
        """Why nobody may read."""
        return self._broker.held

    def read(self) -> list[Record]:
        """The next records, from the position on."""
        if self._broker.held:
            raise StreamHeldError(self._broker.held)
        records = self._broker.records[self._position : self._position + self._broker.batch]
        self._batch_start = self._position
        self._position += len(records)
        return records

    def deliver(self, outgoing: Sequence[Outgoing]) -> None:
        """Take the messages and move on what is committed, unless the next failure says no."""
        if self.failures:
            raise self.failures.pop(0)
        too_large = [number for number, message in enumerate(outgoing) if len(message.value) > self.largest]
        if too_large:
            raise MessagesTooLargeError(too_large)
        self._broker.delivered += outgoing
        self._broker.committed = self._position

    def abort_next(self, times: int = 1) -> None:
        """Let the next deliveries be aborted."""
        self.failures += [BatchAbortedError("told to")] * times

    def rewind(self) -> None:
        """Back to what is committed."""
        self._position = self._broker.committed

    def hold(self, reason: str) -> None:
        """Commit where the batch begins, and let nobody read on."""
        self._broker.committed = self._batch_start
        self._broker.held = reason

    def lag(self) -> Mapping[tuple[str, int], int]:
        """How much is left, in a topic of its own."""
        return {("memory", 0): len(self._broker.records) - self._position}

    def missing(self) -> str | None:
        """What the test says."""
        return self.down

    def close(self) -> None:
        """Note that it was."""
        self.closed = True
