"""Counts the workflows that this process started and that have not ended, against a bound; keeps lanes in order."""

import asyncio
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from services.runtime.clock import Clock
from services.runtime.metrics import counter, gauge
from services.runtime.telemetry import logger

log = logger(__name__)

# A workflow ends within a second, or within half a minute where a neighbour is away for a moment.
_TURN_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Place:
    """One workflow's place; `since` is infinite until Temporal has the workflow."""

    lanes: frozenset[str]
    since: float = math.inf
    # Another process may have begun it, and may end it.
    elsewhere: bool = False
    turn: asyncio.Event = field(default_factory=asyncio.Event)


class Backlog:
    """Open workflows by id. Entering twice counts once.

    Workflows with a lane in common take turns, in the order in which they enter. One that is started and hangs holds up
    the others for a bounded time; while nothing gets on, nobody's time runs.
    """

    def __init__(self, limit: int, clock: Clock, *, turn_seconds: float = _TURN_SECONDS) -> None:
        """A turn passes on after so many seconds, whatever becomes of whose it is."""
        self._limit = limit
        self._turn_seconds = turn_seconds
        self._clock = clock
        self._entered: dict[str, _Place] = {}
        # By lane, who is in it, in the order of entering; a dict, for one that ends elsewhere leaves from the middle.
        self._lanes: dict[str, dict[str, None]] = {}
        self._held_at = -math.inf
        self._last_left = clock.monotonic()
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._update()

    def __len__(self) -> int:
        return len(self._entered)

    def room(self) -> int:
        """How many more may enter."""
        return max(0, self._limit - len(self._entered))

    def enter(self, workflow_id: str, lanes: Iterable[str] = ()) -> None:
        """A workflow is to be started. One that is there already keeps its place."""
        if workflow_id not in self._entered:
            self._entered[workflow_id] = _Place(frozenset(lanes))
            for lane in self._entered[workflow_id].lanes:
                self._lanes.setdefault(lane, {})[workflow_id] = None
        self._update()

    async def wait_for_turn(self, workflow_id: str) -> None:
        """Return once all that entered its lanes before it have left, or have had their turn for too long."""
        while in_front := self._in_front(workflow_id):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._entered[workflow_id].turn.wait(), self._turn_left(in_front))
            if in_front == self._in_front(workflow_id) and self._turn_left(in_front) <= 0:
                self._pass_over(workflow_id, in_front)

    def started(self, workflow_id: str, *, elsewhere: bool) -> None:
        """Temporal has it: its turn's time runs from now on. `elsewhere`: it was found running."""
        place = self._entered.get(workflow_id)
        if place is not None and math.isinf(place.since):
            place.since, place.elsewhere = self._clock.monotonic(), elsewhere

    def hold(self) -> None:
        """Workflows get nowhere just now: whoever has its turn has all of its time once they do."""
        self._held_at = self._clock.monotonic()

    def _turn_left(self, workflow_id: str) -> float:
        """Seconds until its turn passes on; all of it while it is not started."""
        since = self._entered[workflow_id].since
        taken = 0.0 if math.isinf(since) else self._clock.monotonic() - max(since, self._held_at)
        return max(0.0, self._turn_seconds - taken)

    def _pass_over(self, workflow_id: str, hung: str) -> None:
        self._clear_lanes(hung, self._entered[hung].lanes)
        counter("tidegate_workflow_turns_passed_total").inc()
        log.warning("workflow.passed_over", workflow_id=hung, by=workflow_id, seconds=self._turn_seconds)

    def leave(self, workflow_id: str) -> None:
        """A workflow has ended, was found to have ended, or is not started after all."""
        place = self._entered.pop(workflow_id, None)
        if place is not None:
            self._last_left = self._clock.monotonic()
            self._clear_lanes(workflow_id, place.lanes)
            place.turn.set()
        self._update()

    def drop_unstarted(self) -> None:
        """Nobody tries to start any more what is not started."""
        for workflow_id in [one for one, place in self._entered.items() if math.isinf(place.since)]:
            self.leave(workflow_id)

    def _clear_lanes(self, workflow_id: str, lanes: Iterable[str]) -> None:
        """Take it out of its lanes, and tell those whose turn has come by that."""
        for lane in lanes:
            waiting = self._lanes.get(lane, {})
            waiting.pop(workflow_id, None)
            if not waiting:
                self._lanes.pop(lane, None)
        for lane in lanes:
            first = next(iter(self._lanes.get(lane, {})), None)
            if first is not None and not self._in_front(first):
                self._entered[first].turn.set()

    def strays(self, seconds: float) -> list[str]:
        """Workflows that may end where nobody tells: found running, or started at least so long ago."""
        before = self._clock.monotonic() - seconds
        return [one for one, place in self._entered.items() if place.elsewhere or place.since <= before]

    def stuck_for(self) -> float:
        """Seconds since a workflow has left, while there is no room; 0 while there is."""
        return 0.0 if self.room() else self._clock.monotonic() - self._last_left

    async def wait_for_room(self, timeout_seconds: float) -> bool:
        """Whether there is room, by the timeout."""
        return await _happens(self._room, timeout_seconds)

    async def wait_until_empty(self, timeout_seconds: float) -> bool:
        """Whether all have left, by the timeout."""
        return await _happens(self._empty, timeout_seconds)

    def _in_front(self, workflow_id: str) -> str | None:
        """Who has to leave a lane before it, if any; one that was passed over, or has left, waits for none."""
        place = self._entered.get(workflow_id)
        for lane in place.lanes if place is not None else ():
            waiting = self._lanes.get(lane, {})
            if workflow_id in waiting and (first := next(iter(waiting))) != workflow_id:
                return first
        return None

    def _update(self) -> None:
        _set(self._room, to=self.room() > 0)
        _set(self._empty, to=not self._entered)
        gauge("tidegate_workflow_backlog").set(len(self._entered))


def _set(event: asyncio.Event, *, to: bool) -> None:
    if to:
        event.set()
    else:
        event.clear()


async def _happens(event: asyncio.Event, timeout_seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), timeout_seconds)
    except TimeoutError:
        return False
    return True
