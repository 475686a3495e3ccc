"""The backlog bounds the workflows that are open."""

import asyncio
from datetime import UTC, datetime, timedelta

from services.orchestrator.backlog import Backlog
from services.runtime.clock import FrozenClock
from services.runtime.metrics import gauge

CLOCK = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))


async def test_a_workflow_that_enters_twice_takes_one_place() -> None:
    backlog = Backlog(2, CLOCK)
    backlog.enter("a")
    backlog.enter("a")
    assert (len(backlog), backlog.room()) == (1, 1)


async def test_leaving_makes_room_for_whoever_waits() -> None:
    backlog = Backlog(1, CLOCK)
    backlog.enter("a")
    assert not await backlog.wait_for_room(0.01)
    waiting = asyncio.create_task(backlog.wait_for_room(5))
    await asyncio.sleep(0)
    backlog.leave("a")
    assert await waiting


async def test_it_tells_when_all_have_left() -> None:
    backlog = Backlog(1, CLOCK)
    assert await backlog.wait_until_empty(0.01)
    backlog.enter("a")
    assert not await backlog.wait_until_empty(0.01)
    backlog.leave("a")
    backlog.leave("never entered")
    assert await backlog.wait_until_empty(0.01)


async def test_it_tells_who_has_been_in_for_long() -> None:
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
    backlog = Backlog(5, clock)
    backlog.enter("old")
    clock.advance(timedelta(seconds=30))
    backlog.enter("new")
    assert backlog.since(30) == ["old"]


async def test_the_metric_follows() -> None:
    backlog = Backlog(5, CLOCK)
    backlog.enter("a")
    assert gauge("tidegate_workflow_backlog")._value.get() == 1
    backlog.leave("a")
    assert gauge("tidegate_workflow_backlog")._value.get() == 0
