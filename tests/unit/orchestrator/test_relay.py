"""The relay publishes each stored decision once, wherever it is interrupted."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.relay import Relay
from services.orchestrator.troubles import Troubles
from services.runtime.clock import FrozenClock
from tests.fakes.orchestrator import FakeDatabase, FakeDecisionLog, FakeOutbox, FakeTopic

CLOCK = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))


class Setup:
    """A database and a topic, with as many relays over them as a test starts."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.topic = FakeTopic()
        self.failing: set[str] = set()
        self.troubles = Troubles()

    def relay(self, outbox: FakeOutbox | None = None, batch_rows: int = 3, trouble_seconds: float = 0) -> Relay:
        return Relay(
            outbox or FakeOutbox(self.database),
            lambda: FakeDecisionLog(self.topic, self.failing),
            self.troubles,
            CLOCK,
            batch_rows=batch_rows,
            trouble_seconds=trouble_seconds,
        )


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come to that")


async def run_until(relay: Relay, condition: Callable[[], bool]) -> None:
    task = asyncio.create_task(relay.run())
    try:
        await until(condition)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_stored_decisions_are_published_in_order_and_their_rows_removed() -> None:
    setup = Setup()
    setup.topic.messages = {0: []}
    for number in range(1, 8):
        setup.database.queue(f"e{number}")
    await run_until(setup.relay(), lambda: not setup.database.rows)
    assert setup.topic.messages[0] == [f"e{number}" for number in range(1, 8)]
    assert setup.database.progress == {0: 7}


async def test_a_decision_that_appears_late_below_the_last_sequence_is_published() -> None:
    setup = Setup()
    setup.database.queue("second", sequence=2)
    relay = setup.relay()
    task = asyncio.create_task(relay.run())
    await until(lambda: setup.topic.all() == ["second"])
    setup.database.queue("first, committed later", sequence=1)
    relay.ring()
    await until(lambda: not setup.database.rows)
    task.cancel()
    assert sorted(setup.topic.all()) == ["first, committed later", "second"]


async def test_decisions_whose_commit_was_answered_by_silence_are_not_published_again() -> None:
    setup = Setup()
    setup.database.progress = {0: 0, 1: 0}
    setup.database.queue("e1")
    setup.failing.add("answer")
    await run_until(setup.relay(), lambda: not setup.database.rows)
    assert setup.topic.all() == ["e1"]


async def test_decisions_whose_transaction_was_aborted_are_published_by_the_next_try() -> None:
    setup = Setup()
    setup.database.queue("e1")
    setup.failing.add("publish")
    await run_until(setup.relay(), lambda: not setup.database.rows)
    assert setup.topic.all() == ["e1"]


async def test_a_database_restored_from_a_backup_publishes_nothing_twice() -> None:
    setup = Setup()
    setup.database.progress = {0: 0, 1: 0}
    for number in range(1, 5):
        setup.database.queue(f"e{number}")
    before = dict(setup.database.rows)
    await run_until(setup.relay(), lambda: not setup.database.rows)
    setup.database.rows, setup.database.progress = before, {0: 0, 1: 0}
    setup.database.queue("e5", sequence=9)
    await run_until(setup.relay(), lambda: not setup.database.rows)
    assert sorted(setup.topic.all()) == ["e1", "e2", "e3", "e4", "e5"]


async def test_a_topic_that_holds_messages_before_the_first_run_is_not_read_without_need() -> None:
    setup = Setup()
    setup.topic.messages = {0: ["old"] * 5, 1: []}
    await run_until(setup.relay(), lambda: bool(setup.database.progress))
    assert setup.database.progress == {0: 5, 1: 0}


async def test_only_one_of_two_relays_publishes_and_the_other_takes_over() -> None:
    setup = Setup()
    first, second = setup.relay(), setup.relay()
    leading = asyncio.create_task(first.run())
    await until(lambda: setup.database.leader is not None)
    leader = setup.database.leader
    waiting = asyncio.create_task(second.run())
    setup.database.queue("e1")
    first.ring()
    await until(lambda: setup.topic.all() == ["e1"] and not setup.database.rows)
    assert setup.database.leader is leader
    assert await second.wait_until_idle(1)
    leading.cancel()
    setup.database.queue("e2")
    await until(lambda: "e2" in setup.topic.all())
    assert setup.database.leader is not leader
    waiting.cancel()
    assert setup.topic.all().count("e1") == 1


async def test_trouble_is_told_while_it_lasts() -> None:
    setup = Setup()
    outbox = FakeOutbox(setup.database)
    outbox.failing.add("lead")
    seen: list[str | None] = []

    def told() -> bool:
        seen.append(setup.troubles.told())
        return seen[-1] is None and any(seen)

    await run_until(setup.relay(outbox, trouble_seconds=0.1), told)
    assert "as told, in lead" in str(seen)


MISHAPS = st.lists(
    st.sampled_from(["publish", "answer", "settle", "next", "progress", "lead", "kill", "nothing"]), max_size=8
)


@settings(max_examples=60)
@given(mishaps=MISHAPS, decisions=st.integers(1, 12))
def test_whatever_goes_wrong_each_decision_is_published_once(mishaps: list[str], decisions: int) -> None:
    asyncio.run(_survive(mishaps, decisions))


async def _survive(mishaps: list[str], decisions: int) -> None:
    setup = Setup()
    setup.database.progress = {0: 0, 1: 0}
    queued = iter(range(1, decisions + 1))
    outbox = FakeOutbox(setup.database)
    relay = setup.relay(outbox)
    task = asyncio.create_task(relay.run())
    for mishap in mishaps:
        for number in [number for _, number in zip(range(2), queued, strict=False)]:
            setup.database.queue(f"e{number}", sequence=number)
        if mishap in {"publish", "answer"}:
            setup.failing.add(mishap)
        elif mishap == "kill":
            task.cancel()
            setup.database.leader = None
            outbox = FakeOutbox(setup.database)
            relay = setup.relay(outbox)
            task = asyncio.create_task(relay.run())
        elif mishap != "nothing":
            outbox.failing.add(mishap)
        relay.ring()
        await asyncio.sleep(0.002)
    for number in queued:
        setup.database.queue(f"e{number}", sequence=number)
    relay.ring()
    await until(lambda: not setup.database.rows)
    task.cancel()
    assert sorted(setup.topic.all()) == sorted(f"e{number}" for number in range(1, decisions + 1))
