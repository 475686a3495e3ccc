"""The normalizer's stream in memory: one topic of records, and what was delivered of them."""

from collections.abc import Mapping, Sequence

from services.normalizer.ports import BatchAbortedError, StreamHeldError
from services.runtime.consumer import Record
from services.runtime.producer import Outgoing


class MemoryStream:
    """A Stream over a list. Deliveries can be made to fail, by what they then raise."""

    def __init__(self, records: Sequence[Record], batch: int = 100) -> None:
        self._records = list(records)
        self._batch = batch
        self._position = 0
        self.committed = 0
        self.delivered: list[Outgoing] = []
        self.failures: list[Exception] = []
        self.held: str | None = None
        self.down: str | None = None
        self.closed = False

    def read(self) -> list[Record]:
        """The next records, from the position on."""
        if self.held:
            raise StreamHeldError(self.held)
        records = self._records[self._position : self._position + self._batch]
        self._position += len(records)
        return records

    def deliver(self, outgoing: Sequence[Outgoing]) -> None:
        """Take the messages and move on what is committed, unless the next failure says no."""
        if self.failures:
            raise self.failures.pop(0)
        self.delivered += outgoing
        self.committed = self._position

    def abort_next(self, times: int = 1) -> None:
        """Let the next deliveries be aborted."""
        self.failures += [BatchAbortedError("told to")] * times

    def rewind(self) -> None:
        """Back to what is committed."""
        self._position = self.committed

    def hold(self, reason: str) -> None:
        """Refuse to be read."""
        self.held = reason

    def lag(self) -> Mapping[tuple[str, int], int]:
        """How much is left, in a topic of its own."""
        return {("memory", 0): len(self._records) - self._position}

    def missing(self) -> str | None:
        """What the test says."""
        return self.down

    def close(self) -> None:
        """Note that it was."""
        self.closed = True
