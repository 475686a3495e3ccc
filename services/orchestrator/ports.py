"""What the bridge and the relay need from the outside."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from services.orchestrator.handler import WorkflowStart
from services.runtime.consumer import Record

# `running` and `finished`: the workflow had been started before.
StartOutcome = Literal["started", "running", "finished"]
# How the newest run of a workflow stands; `forgotten` where Temporal knows none.
RunStatus = Literal["running", "completed", "failed", "canceled", "terminated", "timed_out", "forgotten"]
Partition = tuple[str, int]


class TemporalUnavailableError(Exception):
    """Temporal did not answer; trying again can help, and is safe."""


class StartRefusedError(Exception):
    """Temporal will never take this start. Its text names the kind of refusal."""


class WorkflowStarter(Protocol):
    """Starts workflows. A caller must not assume that a workflow was not started because `start` raised.

    One that was closed without completing is started again: its event was not decided, or the primary key stops it.
    """

    async def start(self, start: WorkflowStart) -> StartOutcome:
        """Return once Temporal has the workflow for good; TemporalUnavailableError, StartRefusedError."""
        ...

    async def status(self, workflow_id: str) -> RunStatus:
        """How the newest run of a workflow stands; TemporalUnavailableError."""
        ...

    async def check(self) -> None:
        """Raise TemporalUnavailableError when Temporal does not answer within seconds."""
        ...


class Source(Protocol):
    """Reads records and commits offsets. Calls must not overlap; each may block. NeighbourUnavailableError."""

    def read(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """Up to that many records, or what has come by the timeout. Called often enough to stay in the group."""
        ...

    def hold(self) -> None:
        """Let `read` return nothing until `go_on`."""
        ...

    def go_on(self) -> None:
        """Let `read` return records again."""
        ...

    def take_revoked(self) -> Sequence[Partition]:
        """Partitions that went to another member since the last call."""
        ...

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Commit, for each partition, the offset of the next record to read."""
        ...

    def check(self) -> None:
        """Raise when the broker is away, which `read` alone does not tell; measure the lag."""
        ...


@dataclass(frozen=True, slots=True)
class QueuedDecision:
    """A stored decision that waits for its publication."""

    sequence: int
    event_id: str
    payment_id: str
    decision: bytes
    headers: Mapping[str, str]


class Outbox(Protocol):
    """Stored decisions that wait for publication, for the one relay that holds the lead.

    A caller must not assume that sequences come without gaps, or that a lower one cannot appear after a higher one.
    """

    async def lead(self) -> bool:
        """Try to become the one relay; every other call needs the lead, and fails once it is lost."""
        ...

    async def progress(self) -> Mapping[int, int]:
        """By partition, the offset before which every message's row is known to be gone; empty before the first run."""
        ...

    async def next(self, most: int) -> Sequence[QueuedDecision]:
        """The next decisions to publish, in order."""
        ...

    async def settle(self, event_ids: Iterable[str], progress: Mapping[int, int]) -> None:
        """In one transaction, remove the rows of published decisions and remember the progress."""
        ...

    async def backlog(self) -> int:
        """How many decisions wait."""
        ...

    async def release(self) -> None:
        """Give up the lead."""
        ...


class DecisionLog(Protocol):
    """The topic of decisions, for the one relay that writes it. Calls block and must not overlap.

    NeighbourUnavailableError, after which only `close` may be called.
    """

    def open(self) -> None:
        """Put out any other relay, and end what it left unfinished: afterwards the topic holds still."""
        ...

    def ends(self) -> Mapping[int, int]:
        """The end of each partition."""
        ...

    def published_since(self, progress: Mapping[int, int]) -> Iterable[tuple[Sequence[str], Mapping[int, int]]]:
        """Event ids of the committed messages from these offsets to the end, in portions, each with how far it goes."""
        ...

    def publish(self, decisions: Sequence[QueuedDecision]) -> Mapping[int, int]:
        """Publish all of them or none; how far the partitions go now."""
        ...

    def close(self) -> None:
        """Leave without finishing anything."""
        ...
