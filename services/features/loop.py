"""Read, apply, write: one batch after the other, each from where the store is to where the batch ends."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from mlops.features.facts import PaymentFact
from services.features.decoding import Batch, Decoder
from services.features.handler import Partition, Run, all_touched, writes
from services.features.ports import FeatureStore, Outcome, Stream
from services.runtime import metrics
from services.runtime.clock import Clock
from services.runtime.errors import InvalidMessageError, NeighbourUnavailableError
from services.runtime.flood import FloodLimit
from services.runtime.readiness import Readiness
from services.runtime.telemetry import logger

STAGE: Final = "features"

_log = logger(__name__)
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_HOUSEKEEPING_SECONDS: Final = 1.0
# Each time another process has written an entity of the batch in between: decisions on a customer who pays just now.
_MOST_CONFLICTS: Final = 10
_MICROSECONDS: Final = 1_000_000


class FloodError(Exception):
    """More messages cannot be read than a deploy in order would leave unreadable; nothing of the batch was applied."""


class Loop:
    """Keeps a store in step with a stream until it is told to stop."""

    def __init__(
        self,
        group: str,
        store: FeatureStore,
        flood: FloodLimit,
        clock: Clock,
        readiness: Readiness,
        stopping: threading.Event,
    ) -> None:
        self._group = group
        self._store = store
        self._flood = flood
        self._clock = clock
        self._readiness = readiness
        self._stopping = stopping
        # Where the store stands, as far as this process knows.
        self._offsets: dict[Partition, int | None] = {}
        # Partitions that are read from their first message, until they are read to their end.
        self._rebuilding: set[Partition] = set()
        self._trouble: str | None = None
        self._pause = _FIRST_PAUSE_SECONDS
        self._housekept = clock.monotonic()
        self._reported_partitions: set[Partition] = set()

    def run(self, stream: Stream, decoder: Decoder) -> None:
        """Until told to stop. Raises FloodError, and StreamLostError."""
        while not self._stopping.is_set():
            self._readiness.beat()
            # The stream is read even while nothing is placed: a member that does not read loses its place in the group.
            records = stream.read()
            try:
                if unplaced := stream.unplaced():
                    self._place(stream, unplaced)
                if records:
                    self._apply(stream, decoder.decode(records))
                self._note_ends(stream)
                if self._clock.monotonic() - self._housekept >= _HOUSEKEEPING_SECONDS:
                    self._keep_house(stream)
            except NeighbourUnavailableError as error:
                self._wait(stream, error)

    def _place(self, stream: Stream, partitions: Sequence[Partition]) -> None:
        """Read on from where the store is: what it lost, or never had, comes again."""
        offsets = self._store.offsets(partitions)
        self._offsets.update(offsets)
        # What another process, or this one before a crash, did not come to the end of.
        self._rebuilding |= self._store.rebuilding().intersection(partitions)
        if anew := stream.place(offsets):
            self._store.say_rebuilding(anew)
            self._rebuilding.update(anew)
            _log.info("features.rebuilding", partitions=anew)
        self._recovered()

    def _apply(self, stream: Stream, batch: Batch) -> None:
        if not self._flood.admits(batch.failed):
            _log.error("flood.stopped", limit=str(self._flood))
            raise FloodError(f"{self._flood} cannot be read; see the log for positions and rules")
        started = self._clock.monotonic()
        runs, written = batch.runs(), set[Partition]()
        for _ in range(_MOST_CONFLICTS):
            runs = self._write(stream, runs, written)
            if not runs:
                break
        stream.take_back([run.partition for run in runs])
        self._flood.count(batch.failed)
        self._recovered()
        metrics.histogram("tidegate_batch_duration_seconds").labels(STAGE).observe(self._clock.monotonic() - started)
        _report(batch, written)

    def _write(self, stream: Stream, runs: Sequence[Run], written: set[Partition]) -> Sequence[Run]:
        """Those that have to be tried again, on entities as they are then."""
        keys = all_touched(runs)
        found = dict(zip(keys, self._store.read(keys), strict=True))
        outcomes = self._store.write(writes(runs, found, self._offsets))
        for run, outcome in zip(runs, outcomes, strict=True):
            if outcome is Outcome.WRITTEN:
                self._offsets[run.partition] = run.next_offset
                written.add(run.partition)
                self._measure(run)
            elif outcome is Outcome.MOVED:
                _log.warning("store.moved", partition=run.partition, expected=self._offsets[run.partition])
                stream.take_back([run.partition])
        return [run for run, outcome in zip(runs, outcomes, strict=True) if outcome is Outcome.CONFLICT]

    def _measure(self, run: Run) -> None:
        now = self._clock.now().timestamp()
        freshness = metrics.histogram("tidegate_feature_freshness_seconds").labels(run.partition[0])
        for fact in run.facts:
            freshness.observe(max(0.0, now - fact.arrived_at_us / _MICROSECONDS))

    def _wait(self, stream: Stream, error: NeighbourUnavailableError) -> None:
        """Nobody knows how far the store is now: ask it before going on."""
        if self._trouble is None:
            _log.warning("store.unavailable", reason=str(error))
        self._trouble = self._readiness.missing = str(error)
        stream.take_back(list(self._offsets))
        self._stopping.wait(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def _recovered(self) -> None:
        if self._trouble is not None:
            _log.info("store.recovered")
        self._trouble = None
        self._pause = _FIRST_PAUSE_SECONDS

    def _note_ends(self, stream: Stream) -> None:
        if done := self._rebuilding.intersection(stream.take_ended()):
            self._store.say_rebuilding(sorted(done), done=True)
            self._rebuilding -= done
            _log.info("features.rebuilt", partitions=sorted(done))

    def _keep_house(self, stream: Stream) -> None:
        self._housekept = self._clock.monotonic()
        owned, lag = stream.owned(), stream.lag()
        placed = sorted(set(owned).difference(stream.unplaced()))
        # What went to another process is for that one to bring to its end: the store tells it.
        self._rebuilding.intersection_update(owned)
        # A store that came back empty or older is noticed even when no message comes.
        held = self._store.offsets(placed)
        if moved := [partition for partition in placed if held[partition] != self._offsets.get(partition)]:
            _log.warning("store.moved", partitions=moved)
            stream.take_back(moved)
        stream.mirror({partition: offset for partition, offset in held.items() if offset is not None})
        self._readiness.missing = stream.missing() or self._trouble or self._rebuild_in_words(lag)
        self._report_lag(lag)

    def _rebuild_in_words(self, lag: Mapping[Partition, int]) -> str | None:
        if not self._rebuilding:
            return None
        behind = sum(lag.get(partition, 0) for partition in self._rebuilding)
        return f"features are built anew from the topics' first messages: {behind} messages to go"

    def _report_lag(self, lag: Mapping[Partition, int]) -> None:
        gauge = metrics.gauge("tidegate_consumer_lag")
        for (topic, partition), messages in lag.items():
            gauge.labels(self._group, topic, str(partition)).set(messages)
        for topic, partition in self._reported_partitions - lag.keys():
            gauge.remove(self._group, topic, str(partition))
        self._reported_partitions = set(lag)


def _report(batch: Batch, written: set[Partition]) -> None:
    finished = [
        (record.position.topic, told)
        for record, told in batch.decoded
        if (record.position.topic, record.position.partition) in written
    ]
    outcomes = Counter((topic, _outcome(told)) for topic, told in finished)
    for (topic, outcome), messages in outcomes.items():
        metrics.counter("tidegate_messages_total").labels(STAGE, topic, outcome).inc(messages)
    for _, told in finished:
        if isinstance(told, InvalidMessageError):
            metrics.counter("tidegate_dead_letters_total").labels(STAGE, told.rule_ids[0]).inc()
            _log.error("message.poison", reason=str(told))


def _outcome(told: object) -> str:
    if isinstance(told, PaymentFact):
        return "applied"
    return "skipped" if told is None else "poison"
