"""Publishes stored decisions, each once, however often this process is killed (docs/adr/0003-outbox-relay.md)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from services.orchestrator.ports import DecisionLog, Outbox
from services.orchestrator.troubles import Troubles
from services.runtime.clock import Clock
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.metrics import counter, gauge
from services.runtime.telemetry import logger

log = logger(__name__)

# Decisions of other processes are found by looking; those of this one ring.
_LOOK_SECONDS: Final = 0.2
_LEAD_SECONDS: Final = 1.0
_TROUBLE_SECONDS: Final = 1.0
_COUNT_SECONDS: Final = 2.0


class Relay:
    """One of several candidates; the one that holds the lead publishes.

    A decision's message and the removal of its outbox row cannot be one transaction. So the topic itself tells what was
    published: whoever takes the lead first reads what was committed since the progress last remembered, and removes
    those rows before it publishes anything.
    """

    def __init__(
        self,
        outbox: Outbox,
        open_log: Callable[[], DecisionLog],
        troubles: Troubles,
        clock: Clock,
        *,
        batch_rows: int,
        trouble_seconds: float = _TROUBLE_SECONDS,
    ) -> None:
        """After trouble it waits `trouble_seconds` before it tries for the lead again."""
        self._outbox = outbox
        self._open_log = open_log
        self._troubles = troubles
        self._clock = clock
        self._batch_rows = batch_rows
        self._trouble_seconds = trouble_seconds
        self._bell = asyncio.Event()
        self._counted_at = float("-inf")
        self._is_idle = asyncio.Event()

    def ring(self) -> None:
        """There is something to publish."""
        self._is_idle.clear()
        self._bell.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                await self._take_the_lead()
            except NeighbourUnavailableError as error:
                # Whatever was in flight is decided by the next one to lead, who asks the topic.
                self._troubles.note("relay", str(error))
                log.warning("outbox.failed", reason=str(error))
                await asyncio.sleep(self._trouble_seconds)

    async def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Whether nothing was left to publish, by the timeout; also true where another process has the lead."""
        try:
            await asyncio.wait_for(self._is_idle.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return True

    async def _take_the_lead(self) -> None:
        try:
            while not await self._outbox.lead():
                self._troubles.clear("relay")
                self._is_idle.set()
                await asyncio.sleep(_LEAD_SECONDS)
            await self._publish_all()
        finally:
            with suppress(NeighbourUnavailableError):
                await self._outbox.release()

    async def _publish_all(self) -> None:
        decisions = self._open_log()
        try:
            await asyncio.to_thread(decisions.open)
            await self._recover(decisions)
            self._troubles.clear("relay")
            while True:
                await self._publish_next(decisions)
        finally:
            await asyncio.shield(asyncio.to_thread(decisions.close))

    async def _recover(self, decisions: DecisionLog) -> None:
        """Remove the rows of what a predecessor published and did not live to remove."""
        progress = await self._outbox.progress()
        if not progress and not await self._outbox.next(1):
            await self._outbox.settle((), await asyncio.to_thread(decisions.ends))
            return
        portions = iter(decisions.published_since(progress))
        while (portion := await asyncio.to_thread(next, portions, None)) is not None:
            event_ids, reached = portion
            await self._outbox.settle(event_ids, reached)

    async def _publish_next(self, decisions: DecisionLog) -> None:
        self._bell.clear()
        waiting = await self._outbox.next(self._batch_rows)
        await self._count()
        if not waiting:
            self._is_idle.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), _LOOK_SECONDS)
            return
        self._is_idle.clear()
        reached = await asyncio.to_thread(decisions.publish, waiting)
        await self._outbox.settle([decision.event_id for decision in waiting], reached)
        counter("tidegate_outbox_published_total").inc(len(waiting))
        log.debug("outbox.published", decisions=len(waiting))

    async def _count(self) -> None:
        now = self._clock.monotonic()
        if now - self._counted_at >= _COUNT_SECONDS:
            self._counted_at = now
            gauge("tidegate_outbox_backlog").set(await self._outbox.backlog())
