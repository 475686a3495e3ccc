"""Starts a workflow for each message, no faster than workflows end; commits only what is started."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Final

from services.orchestrator.backlog import Backlog
from services.orchestrator.handler import WorkflowStart, start_for_refused
from services.orchestrator.losses import note_close
from services.orchestrator.offsets import Offsets
from services.orchestrator.planner import Planned, Planner
from services.orchestrator.ports import (
    Partition,
    Source,
    StartOutcome,
    StartRefusedError,
    TemporalUnavailableError,
    WorkflowStarter,
)
from services.orchestrator.troubles import Troubles
from services.runtime.clock import Clock
from services.runtime.consumer import Record
from services.runtime.errors import NeighbourUnavailableError, Position
from services.runtime.flood import FloodLimit
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.metrics import counter
from services.runtime.telemetry import logger
from workflows.payment_event.contract import PaymentEventInput

log = logger(__name__)

_READ_SECONDS: Final = 0.1
_COMMIT_SECONDS: Final = 0.25
_CHECK_SECONDS: Final = 5.0
_ROOM_SECONDS: Final = 1.0
_REGISTRY_SECONDS: Final = 1.0
_BACKOFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
# A workflow that began here ends here within a second; one older than this may have gone on in another process.
_STRAY_SECONDS: Final = 30.0
_STUCK_SECONDS: Final = 60.0


class FloodError(Exception):
    """So many messages cannot be read that the fault must be in a deploy, not in the messages."""


class Bridge:
    """One loop that reads, plans and commits; starts run beside it."""

    def __init__(
        self,
        source: Source,
        planner: Planner,
        starter: WorkflowStarter,
        backlog: Backlog,
        flood: FloodLimit,
        troubles: Troubles,
        clock: Clock,
        *,
        on_hold: Callable[[], bool] = lambda: False,
    ) -> None:
        """`on_hold` says whether workflows get nowhere just now, so that none should be started."""
        self._source = source
        self._planner = planner
        self._starter = starter
        self._backlog = backlog
        self._flood = flood
        self._troubles = troubles
        self._clock = clock
        self._on_hold = on_hold
        self._offsets = Offsets()
        self._starting: set[asyncio.Task[None]] = set()
        self._unplanned: list[Record] = []
        self._waiting: deque[Planned] = deque()
        self._defect: BaseException | None = None
        self._committed_at = self._checked_at = clock.monotonic()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until stopping. FloodError; NeighbourUnavailableError when another source must take this one's place."""
        while not stopping.is_set():
            if self._defect is not None:
                raise self._defect
            try:
                await self._step()
            except NeighbourUnavailableError as error:
                if not self._unplanned:
                    raise
                # Read but not understood for want of the registry: nothing is lost, nothing goes on.
                self._troubles.note("schema registry", str(error))
                await asyncio.sleep(_REGISTRY_SECONDS)
            else:
                self._troubles.clear("schema registry")

    async def finish(self, timeout_seconds: float) -> None:
        """Let starts in flight end, and commit; what has not started by then is read again by another process."""
        if self._starting:
            await asyncio.wait(self._starting, timeout=timeout_seconds)
        late = list(self._starting)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        # Whether Temporal has one of these all the same shows when its message is read again.
        self._backlog.drop_unstarted()
        await self._commit()

    async def sweep(self) -> None:
        """Find out which workflows have ended where nobody told us: in another process, or by hand."""
        for workflow_id in self._backlog.strays(_STRAY_SECONDS):
            with suppress(TemporalUnavailableError):
                status = await self._starter.status(workflow_id)
                if status != "running":
                    self._backlog.leave(workflow_id)
                    note_close(workflow_id, status)

    async def ask_temporal(self) -> None:
        """Find out whether Temporal is there, also while nothing is started."""
        try:
            await self._starter.check()
        except TemporalUnavailableError as error:
            self._troubles.note("temporal front end", str(error))
        else:
            self._troubles.clear("temporal front end")

    async def _step(self) -> None:
        await self._make_room()
        planned = await asyncio.to_thread(self._read, max(1, self._backlog.room()))
        self._forget(self._source.take_revoked())
        self._guard(planned)
        self._waiting += planned
        # What was read while the hold came on waits with the rest.
        while self._waiting and not self._on_hold():
            self._begin(self._waiting.popleft())
        now = self._clock.monotonic()
        if now - self._committed_at >= _COMMIT_SECONDS:
            await self._commit()
        if now - self._checked_at >= _CHECK_SECONDS:
            await self._check()

    async def _make_room(self) -> None:
        """Wait for room; while there is none for long, read nothing but stay in the group."""
        has_room = await self._backlog.wait_for_room(_ROOM_SECONDS)
        on_hold = self._on_hold()
        if on_hold:
            self._backlog.hold()
        if has_room and not on_hold:
            self._source.go_on()
        else:
            self._source.hold()
        if self._backlog.stuck_for() > _STUCK_SECONDS:
            words = f"all {len(self._backlog)} places are taken and none has become free for {_STUCK_SECONDS:g} s"
            self._troubles.note("workflows", f"{words}; see their pending steps in Temporal's UI")
        else:
            self._troubles.clear("workflows")

    def _read(self, most: int) -> Sequence[Planned]:
        """Runs on a thread: reading blocks, and so does a decoder that meets a schema for the first time."""
        if not self._unplanned:
            self._unplanned = list(self._source.read(most, _READ_SECONDS))
        planned = [self._planner.plan(record) for record in self._unplanned]
        self._unplanned = []
        return planned

    def _forget(self, revoked: Sequence[Partition]) -> None:
        """Another member goes on with these partitions from what was committed."""
        if revoked:
            self._offsets.forget(revoked)
            own = [plan for plan in self._waiting if (plan.position.topic, plan.position.partition) not in revoked]
            self._waiting = deque(own)

    def _guard(self, planned: Sequence[Planned]) -> None:
        poison = [plan.is_poison for plan in planned]
        if not self._flood.admits(poison):
            log.error("flood.stopped", limit=str(self._flood))
            raise FloodError(f"{self._flood} cannot be read; see the log for positions and rules")
        self._flood.count(poison)

    def _begin(self, plan: Planned) -> None:
        self._offsets.begin(plan.position)
        self._backlog.enter(plan.start.workflow_id, plan.lanes)
        task = asyncio.create_task(self._start(plan))
        self._starting.add(task)
        task.add_done_callback(self._started)

    async def _start(self, plan: Planned) -> None:
        """Start it once those before it on its card are decided: its decision counts their attempts."""
        start = plan.start
        await self._backlog.wait_for_turn(start.workflow_id)
        while self._on_hold():  # noqa: ASYNC110 - the hold is a question, not an event
            await asyncio.sleep(_BACKOFF_SECONDS[0])
        for pause in chain(_BACKOFF_SECONDS, repeat(_BACKOFF_SECONDS[-1])):
            try:
                outcome = await self._starter.start(start)
            except StartRefusedError as error:
                self._note_failed(start, f"Temporal refuses a workflow: {error}")
                start = self._for_review(start, str(error))
            except TemporalUnavailableError as error:
                self._note_failed(start, str(error))
            else:
                self._note_started(plan.position, start, outcome)
                return
            await asyncio.sleep(pause)

    def _for_review(self, start: WorkflowStart, reason: str) -> WorkflowStart:
        if not isinstance(start.order, PaymentEventInput):
            return start  # nothing is left but to try again, loudly
        self._backlog.leave(start.workflow_id)
        review = start_for_refused(start.order, start.headers, self._clock.now(), reason)
        self._backlog.enter(review.workflow_id)
        return review

    def _note_failed(self, start: WorkflowStart, words: str) -> None:
        self._troubles.note("temporal", words)
        counter("tidegate_workflows_total").labels(start.workflow, "failed").inc()
        log.warning("temporal.unavailable", workflow_id=start.workflow_id, reason=words)

    def _note_started(self, position: Position, start: WorkflowStart, outcome: StartOutcome) -> None:
        self._troubles.clear("temporal")
        if outcome == "finished":
            self._backlog.leave(start.workflow_id)
        else:
            self._backlog.started(start.workflow_id, elsewhere=outcome == "running")
        self._offsets.finish(position)
        counter("tidegate_workflows_total").labels(start.workflow, outcome).inc()
        log.info(
            "workflow.started",
            workflow_id=start.workflow_id,
            event_id=start.headers.get(EVENT_ID),
            receipt_id=start.headers.get(RECEIPT_ID),
            outcome=outcome,
        )

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._defect = task.exception()

    async def _commit(self) -> None:
        self._committed_at = self._clock.monotonic()
        next_offsets = self._offsets.committable()
        if not next_offsets:
            return
        try:
            await asyncio.to_thread(self._source.commit, next_offsets)
        except NeighbourUnavailableError as error:
            # A rebalance, or the broker is away. What is not committed is read again, and found started.
            log.warning("broker.unavailable", reason=str(error))
        else:
            self._offsets.committed(next_offsets)

    async def _check(self) -> None:
        self._checked_at = self._clock.monotonic()
        try:
            await asyncio.to_thread(self._source.check)
        except NeighbourUnavailableError as error:
            self._troubles.note("kafka", str(error))
            return
        self._troubles.clear("kafka")
