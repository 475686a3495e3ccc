"""The coalescer makes one call of what many ask at the same time."""

import asyncio
from collections.abc import Sequence

import pytest

from services.orchestrator.adapters.coalescer import Coalescer


class Doubling:
    """Doubles numbers; keeps the batches; can be made to wait or fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing = False

    async def run(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if self.failing:
            raise RuntimeError("as told")
        return [2 * item for item in items]


async def test_a_lone_caller_is_served_at_once() -> None:
    doubling = Doubling()
    assert await Coalescer(doubling.run, most_items=10).submit([1, 2]) == [2, 4]


async def test_callers_at_the_same_time_share_a_call_and_each_gets_its_own_answers() -> None:
    doubling = Doubling()
    coalescer = Coalescer(doubling.run, most_items=10)
    answers = await asyncio.gather(coalescer.submit([1]), coalescer.submit([2, 3]), coalescer.submit([4]))
    assert list(answers) == [[2], [4, 6], [8]]
    assert doubling.batches == [[1, 2, 3, 4]]


async def test_callers_that_come_while_a_call_runs_share_the_next_one() -> None:
    doubling = Doubling()
    doubling.gate.clear()
    coalescer = Coalescer(doubling.run, most_items=10)
    first = asyncio.create_task(coalescer.submit([1]))
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(coalescer.submit([number])) for number in (2, 3)]
    await asyncio.sleep(0.01)
    doubling.gate.set()
    assert await asyncio.gather(first, *later) == [[2], [4], [6]]
    assert doubling.batches == [[1], [2, 3]]


async def test_a_batch_stays_within_its_bound_and_a_caller_with_more_gets_all_its_answers() -> None:
    doubling = Doubling()
    coalescer = Coalescer(doubling.run, most_items=2)
    answers = await asyncio.gather(*(coalescer.submit([number]) for number in range(3)), coalescer.submit([7, 8, 9]))
    assert doubling.batches == [[0, 1], [2], [7, 8], [9]]
    assert list(answers[3]) == [14, 16, 18]


async def test_a_failure_reaches_every_caller_of_the_batch_and_no_later_one() -> None:
    doubling = Doubling()
    doubling.failing = True
    coalescer = Coalescer(doubling.run, most_items=10)
    failed = await asyncio.gather(coalescer.submit([1]), coalescer.submit([2]), return_exceptions=True)
    assert [type(each) for each in failed] == [RuntimeError, RuntimeError]
    doubling.failing = False
    assert await coalescer.submit([3]) == [6]


async def test_a_caller_that_went_away_does_not_hold_up_the_others() -> None:
    doubling = Doubling()
    doubling.gate.clear()
    coalescer = Coalescer(doubling.run, most_items=10)
    gone = asyncio.create_task(coalescer.submit([1]))
    stays = asyncio.create_task(coalescer.submit([2]))
    await asyncio.sleep(0.01)
    gone.cancel()
    doubling.gate.set()
    assert await stays == [4]
    with pytest.raises(asyncio.CancelledError):
        await gone
