"""The orchestrator's neighbours in memory: a source of records, Temporal's front door, the outbox and the topic."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from services.orchestrator.handler import WorkflowStart
from services.orchestrator.ports import (
    Partition,
    QueuedDecision,
    RunStatus,
    StartOutcome,
)
from services.runtime.consumer import Record
from services.runtime.errors import NeighbourUnavailableError, Position


@dataclass
class FakeSource:
    """Hands out the given records once; remembers what was committed and whether it was told to hold."""

    records: list[Record] = field(default_factory=list)
    committed: dict[Partition, int] = field(default_factory=dict)
    revoked: list[Partition] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    holding: bool = False
    holds: int = 0
    reads: int = 0

    def read(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """What is left, up to that many."""
        del timeout_seconds
        self.reads += 1
        if self.failures:
            raise self.failures.pop(0)
        if self.holding:
            return []
        read, self.records = self.records[:max_records], self.records[max_records:]
        return read

    def hold(self) -> None:
        """Hand out nothing."""
        self.holds += not self.holding
        self.holding = True

    def go_on(self) -> None:
        """Hand out again."""
        self.holding = False

    def take_revoked(self) -> Sequence[Partition]:
        """What was revoked since the last call."""
        revoked, self.revoked = self.revoked, []
        return revoked

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Remember."""
        self.committed.update(next_offsets)

    def check(self) -> None:
        """All is well."""


@dataclass
class FakeStarter:
    """A WorkflowStarter in memory. Starts can be made to fail, to wait, and workflows to finish."""

    failures: dict[str, list[Exception]] = field(default_factory=dict)
    started: dict[str, WorkflowStart] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    # Closed without completing, and how.
    lost: dict[str, RunStatus] = field(default_factory=dict)
    away: Exception | None = None

    async def start(self, start: WorkflowStart) -> StartOutcome:
        """Start it once."""
        workflow_id = start.workflow_id
        self.asked.append(workflow_id)
        if workflow_id in self.gates:
            await self.gates[workflow_id].wait()
        if self.failures.get(workflow_id):
            raise self.failures[workflow_id].pop(0)
        if workflow_id in self.finished:
            return "finished"
        if workflow_id in self.started and workflow_id not in self.lost:
            return "running"
        self.lost.pop(workflow_id, None)
        self.started[workflow_id] = start
        return "started"

    async def status(self, workflow_id: str) -> RunStatus:
        """Forgotten, running, or how it was closed."""
        if workflow_id in self.lost:
            return self.lost[workflow_id]
        if workflow_id in self.finished:
            return "completed"
        return "running" if workflow_id in self.started else "forgotten"

    async def check(self) -> None:
        """Raise what it was told to."""
        if self.away is not None:
            raise self.away


@dataclass
class FakeDatabase:
    """What the outboxes of several relays share."""

    rows: dict[int, QueuedDecision] = field(default_factory=dict)
    progress: dict[int, int] = field(default_factory=dict)
    leader: "FakeOutbox | None" = None

    def queue(self, event_id: str, sequence: int | None = None) -> None:
        """Store a decision."""
        number = len(self.rows) + 1 if sequence is None else sequence
        self.rows[number] = QueuedDecision(number, event_id, f"payment of {event_id}", b"", {})


class FakeOutbox:
    """One relay's outbox. The failures named are raised once each, in place of the call."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.failing: set[str] = set()

    async def lead(self) -> bool:
        """First come, first served."""
        self._maybe_fail("lead")
        if self._database.leader is None:
            self._database.leader = self
        return self._database.leader is self

    async def release(self) -> None:
        """Let another one lead."""
        if self._database.leader is self:
            self._database.leader = None

    async def progress(self) -> Mapping[int, int]:
        """As settled."""
        self._fail("progress")
        return dict(self._database.progress)

    async def next(self, most: int) -> Sequence[QueuedDecision]:
        """The lowest sequences."""
        self._fail("next")
        return [self._database.rows[number] for number in sorted(self._database.rows)[:most]]

    async def settle(self, event_ids: Iterable[str], progress: Mapping[int, int]) -> None:
        """Remove and remember, both or none."""
        self._fail("settle")
        gone = set(event_ids)
        self._database.rows = {number: row for number, row in self._database.rows.items() if row.event_id not in gone}
        self._database.progress.update(progress)

    async def backlog(self) -> int:
        """How many."""
        return len(self._database.rows)

    def _fail(self, call: str) -> None:
        if self._database.leader is not self:
            raise NeighbourUnavailableError("PostgreSQL", "the relay does not hold the lead")
        self._maybe_fail(call)

    def _maybe_fail(self, call: str) -> None:
        if call in self.failing:
            self.failing.discard(call)
            raise NeighbourUnavailableError("PostgreSQL", f"as told, in {call}")


@dataclass
class FakeTopic:
    """Committed messages by partition, and which log may write."""

    messages: dict[int, list[str]] = field(default_factory=lambda: {0: [], 1: []})
    writer: "FakeDecisionLog | None" = None

    def all(self) -> list[str]:
        """Event ids of all messages."""
        return [event_id for messages in self.messages.values() for event_id in messages]


class FakeDecisionLog:
    """A DecisionLog over a topic in memory: opening one puts out the one before."""

    def __init__(self, topic: FakeTopic, failing: set[str]) -> None:
        """`failing` may hold `publish` (nothing is committed) and `answer` (committed, but the answer is lost)."""
        self._topic = topic
        self._failing = failing

    def open(self) -> None:
        """Put out the one before."""
        self._topic.writer = self

    def ends(self) -> Mapping[int, int]:
        """The end of each partition."""
        return {number: len(messages) for number, messages in self._topic.messages.items()}

    def published_since(self, progress: Mapping[int, int]) -> Iterator[tuple[Sequence[str], Mapping[int, int]]]:
        """One portion a partition."""
        for number, messages in self._topic.messages.items():
            yield messages[progress.get(number, 0) :], {number: len(messages)}

    def publish(self, decisions: Sequence[QueuedDecision]) -> Mapping[int, int]:
        """All or none."""
        if self._topic.writer is not self:
            raise NeighbourUnavailableError("Kafka", "fenced")
        self._fail("publish")
        for decision in decisions:
            self._topic.messages[decision.sequence % len(self._topic.messages)].append(decision.event_id)
        self._fail("answer")
        return self.ends()

    def close(self) -> None:
        """Nothing to do."""

    def _fail(self, moment: str) -> None:
        if moment in self._failing:
            self._failing.discard(moment)
            raise NeighbourUnavailableError("Kafka", f"as told, in {moment}")


def record(topic: str, offset: int, value: bytes | None, partition: int = 0, **headers: str) -> Record:
    """A record as read."""
    return Record(Position(topic, partition, offset), b"key", value, headers)
