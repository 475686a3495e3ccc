"""The backlog bounds the workflows that are open."""

import asyncio
from datetime import UTC, datetime, timedelta

from services.orchestrator.backlog import Backlog
from services.runtime.clock import FrozenClock
from services.runtime.metrics import counter, gauge

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


async def test_those_with_a_lane_in_common_take_turns_and_others_do_not_wait() -> None:
    backlog = Backlog(9, CLOCK)
    assert backlog.enter("a", ["card"])
    assert not backlog.enter("b", ["card", "payment"])
    assert not backlog.enter("c", ["payment"])
    assert backlog.enter("d", ["another card"])
    order: list[str] = []

    async def take(workflow_id: str) -> None:
        await backlog.wait_for_turn(workflow_id)
        order.append(workflow_id)

    tasks = [asyncio.create_task(take(workflow_id)) for workflow_id in "cb"]
    await asyncio.sleep(0.01)
    assert order == []
    backlog.leave("a")
    await asyncio.sleep(0.01)
    assert order == ["b"]
    backlog.leave("b")
    await asyncio.gather(*tasks)
    assert order == ["b", "c"]
    backlog.leave("c")
    assert backlog.enter("e", ["card", "payment"])


async def test_a_workflow_that_enters_again_keeps_its_place_and_does_not_wait_for_itself() -> None:
    backlog = Backlog(9, CLOCK)
    backlog.enter("a", ["card"])
    assert backlog.enter("a", ["card"])
    backlog.enter("b", ["card"])
    assert backlog.enter("a", ["card"])
    assert not backlog.enter("b", ["card"])
    backlog.leave("a")
    assert backlog.enter("b", ["card"])


async def test_a_turn_that_takes_too_long_passes_on_and_is_counted() -> None:
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
    backlog = Backlog(9, clock, turn_seconds=0.02)
    passed = counter("tidegate_workflow_turns_passed_total")._value
    before = passed.get()
    backlog.enter("hung", ["card"])
    backlog.enter("b", ["card"])
    backlog.enter("c", ["card"])
    order: list[str] = []

    async def take(workflow_id: str) -> None:
        await backlog.wait_for_turn(workflow_id)
        order.append(workflow_id)

    tasks = [asyncio.create_task(take(workflow_id)) for workflow_id in "bc"]
    await asyncio.sleep(0.05)
    assert order == []
    clock.advance(timedelta(seconds=1))
    await asyncio.sleep(0.05)
    assert (order, passed.get() - before) == (["b"], 1)
    backlog.leave("b")
    await asyncio.gather(*tasks)
    assert (order, passed.get() - before) == (["b", "c"], 1)
    assert backlog.since(0) == ["hung", "c"]


async def test_one_that_waits_for_its_turn_is_not_taken_for_one_that_runs_long() -> None:
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
    backlog = Backlog(9, clock)
    backlog.enter("a", ["card"])
    backlog.enter("b", ["card"])
    clock.advance(timedelta(seconds=30))
    assert backlog.since(30) == ["a"]
    backlog.leave("a")
    await backlog.wait_for_turn("b")
    assert backlog.since(30) == []
    assert backlog.since(0) == ["b"]


async def test_one_that_ends_elsewhere_before_its_turn_neither_breaks_its_lane_nor_lets_the_next_ahead() -> None:
    backlog = Backlog(9, CLOCK)
    backlog.enter("a", ["card"])
    backlog.enter("b", ["card"])
    backlog.leave("b")
    assert not backlog.enter("c", ["card"])
    waiting = asyncio.create_task(backlog.wait_for_turn("c"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    backlog.leave("a")
    await asyncio.wait_for(waiting, 1)
    assert backlog.enter("d", ["another card"])
    backlog.leave("c")
    assert backlog.enter("e", ["card"])


async def test_one_that_ends_elsewhere_while_it_waits_waits_no_more() -> None:
    backlog = Backlog(9, CLOCK)
    backlog.enter("a", ["card"])
    backlog.enter("b", ["card"])
    waiting = asyncio.create_task(backlog.wait_for_turn("b"))
    await asyncio.sleep(0)
    backlog.leave("b")
    await asyncio.wait_for(waiting, 1)
    assert len(backlog) == 1


async def test_all_that_wait_for_one_that_hangs_count_it_once() -> None:
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
    backlog = Backlog(9, clock, turn_seconds=0.02)
    passed = counter("tidegate_workflow_turns_passed_total")._value
    before = passed.get()
    backlog.enter("hung", ["card", "payment"])
    backlog.enter("b", ["card"])
    backlog.enter("c", ["payment"])
    clock.advance(timedelta(seconds=1))
    await asyncio.wait_for(asyncio.gather(backlog.wait_for_turn("b"), backlog.wait_for_turn("c")), 1)
    assert passed.get() - before == 1
    backlog.leave("hung")
    assert len(backlog) == 2
