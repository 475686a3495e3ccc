"""The backlog bounds the workflows that are open."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.orchestrator.backlog import Backlog
from services.runtime.clock import FrozenClock
from services.runtime.metrics import counter, gauge

CLOCK = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))


async def is_its_turn(backlog: Backlog, workflow_id: str) -> bool:
    """Whether it need not wait."""
    waiting = asyncio.create_task(backlog.wait_for_turn(workflow_id))
    await asyncio.sleep(0)
    waiting.cancel()
    return waiting.done()


def start(backlog: Backlog, workflow_id: str, lanes: Sequence[str] = (), *, elsewhere: bool = False) -> None:
    """Enter, and be started at once."""
    backlog.enter(workflow_id, lanes)
    backlog.started(workflow_id, elsewhere=elsewhere)


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
    start(backlog, "old")
    clock.advance(timedelta(seconds=30))
    start(backlog, "new")
    start(backlog, "found running", elsewhere=True)
    assert backlog.strays(30) == ["old", "found running"]


async def test_one_that_is_not_started_is_nobodys_stray_however_long_it_waits() -> None:
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
    backlog = Backlog(5, clock)
    backlog.enter("a", ["card"])
    backlog.enter("b", ["card"])
    clock.advance(timedelta(hours=1))
    assert backlog.strays(30) == []
    backlog.started("a", elsewhere=False)
    clock.advance(timedelta(seconds=30))
    backlog.started("a", elsewhere=True)  # delivered again: it runs since it was started first
    backlog.started("left meanwhile", elsewhere=True)
    assert backlog.strays(30) == ["a"]


async def test_what_was_not_started_can_be_dropped() -> None:
    backlog = Backlog(5, CLOCK)
    start(backlog, "a", ["card"])
    backlog.enter("b", ["card"])
    backlog.drop_unstarted()
    assert (len(backlog), backlog.strays(0)) == (1, ["a"])


async def test_the_metric_follows() -> None:
    backlog = Backlog(5, CLOCK)
    backlog.enter("a")
    assert gauge("tidegate_workflow_backlog")._value.get() == 1
    backlog.leave("a")
    assert gauge("tidegate_workflow_backlog")._value.get() == 0


async def test_those_with_a_lane_in_common_take_turns_and_others_do_not_wait() -> None:
    backlog = Backlog(9, CLOCK)
    for workflow_id, lanes in (
        ("a", ["card"]),
        ("b", ["card", "payment"]),
        ("c", ["payment"]),
        ("d", ["another card"]),
    ):
        backlog.enter(workflow_id, lanes)
    assert [await is_its_turn(backlog, workflow_id) for workflow_id in "abcd"] == [True, False, False, True]
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
    backlog.enter("e", ["card", "payment"])
    assert await is_its_turn(backlog, "e")


async def test_a_workflow_that_enters_again_keeps_its_place_and_does_not_wait_for_itself() -> None:
    backlog = Backlog(9, CLOCK)
    for workflow_id in "aabab":
        backlog.enter(workflow_id, ["card"])
    assert [await is_its_turn(backlog, workflow_id) for workflow_id in "ab"] == [True, False]
    backlog.leave("a")
    assert await is_its_turn(backlog, "b")


async def test_a_turn_that_takes_too_long_passes_on_and_is_counted() -> None:
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
    backlog = Backlog(9, clock, turn_seconds=0.02)
    passed = counter("tidegate_workflow_turns_passed_total")._value
    before = passed.get()
    start(backlog, "hung", ["card"])
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


async def test_nobody_is_passed_over_while_it_is_not_started_or_while_nothing_gets_on() -> None:
    """An outage of minutes would else have all failures on a card decided at once, none knowing of the others."""
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
    backlog = Backlog(9, clock, turn_seconds=0.02)
    backlog.enter("a", ["card"])
    backlog.enter("b", ["card"])
    waiting = asyncio.create_task(backlog.wait_for_turn("b"))
    clock.advance(timedelta(minutes=5))
    await asyncio.sleep(0.05)
    backlog.started("a", elsewhere=False)
    clock.advance(timedelta(minutes=5))
    backlog.hold()
    await asyncio.sleep(0.05)
    assert not waiting.done()
    clock.advance(timedelta(seconds=1))
    await asyncio.wait_for(waiting, 1)


async def test_one_that_ends_elsewhere_before_its_turn_neither_breaks_its_lane_nor_lets_the_next_ahead() -> None:
    backlog = Backlog(9, CLOCK)
    backlog.enter("a", ["card"])
    backlog.enter("b", ["card"])
    backlog.leave("b")
    backlog.enter("c", ["card"])
    waiting = asyncio.create_task(backlog.wait_for_turn("c"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    backlog.leave("a")
    await asyncio.wait_for(waiting, 1)
    backlog.leave("c")
    backlog.enter("e", ["card"])
    assert await is_its_turn(backlog, "e")


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
    start(backlog, "hung", ["card", "payment"])
    backlog.enter("b", ["card"])
    backlog.enter("c", ["payment"])
    clock.advance(timedelta(seconds=1))
    await asyncio.wait_for(asyncio.gather(backlog.wait_for_turn("b"), backlog.wait_for_turn("c")), 1)
    assert passed.get() - before == 1
    backlog.leave("hung")
    assert len(backlog) == 2
