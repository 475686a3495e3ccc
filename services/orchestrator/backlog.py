"""Counts the workflows that this process started and that have not ended, against a bound."""

import asyncio

from services.runtime.clock import Clock
from services.runtime.metrics import gauge


class Backlog:
    """Open workflows by id. Entering twice counts once."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._entered: dict[str, float] = {}
        self._last_left = clock.monotonic()
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._update()

    def __len__(self) -> int:
        return len(self._entered)

    def room(self) -> int:
        """How many more may enter."""
        return max(0, self._limit - len(self._entered))

    def enter(self, workflow_id: str) -> None:
        """A workflow is about to be started."""
        self._entered[workflow_id] = self._clock.monotonic()
        self._update()

    def leave(self, workflow_id: str) -> None:
        """A workflow has ended, or was found to have ended."""
        if self._entered.pop(workflow_id, None) is not None:
            self._last_left = self._clock.monotonic()
        self._update()

    def since(self, seconds: float) -> list[str]:
        """Workflows that entered at least so long ago."""
        before = self._clock.monotonic() - seconds
        return [workflow_id for workflow_id, entered in self._entered.items() if entered <= before]

    def stuck_for(self) -> float:
        """Seconds since a workflow has left, while there is no room; 0 while there is."""
        return 0.0 if self.room() else self._clock.monotonic() - self._last_left

    async def wait_for_room(self, timeout_seconds: float) -> bool:
        """Whether there is room, by the timeout."""
        return await _happens(self._room, timeout_seconds)

    async def wait_until_empty(self, timeout_seconds: float) -> bool:
        """Whether all have left, by the timeout."""
        return await _happens(self._empty, timeout_seconds)

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
