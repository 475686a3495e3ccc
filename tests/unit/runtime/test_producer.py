"""A producer gives each message one outcome. On a real librdkafka without a broker, so that it opens no socket."""

import asyncio
from typing import Any

import pytest

from services.runtime.errors import NeighbourUnavailableError
from services.runtime.producer import AcknowledgedProducer, Outgoing

MESSAGE = Outgoing("topic", b"key", b"value", {})


def producer(delivery_timeout_ms: int = 60_000) -> AcknowledgedProducer:
    return AcknowledgedProducer({}, delivery_timeout_ms=delivery_timeout_ms, max_message_bytes=1_000_000)


async def in_flight(made: AcknowledgedProducer, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(made.publish(MESSAGE)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_closing_fails_what_has_no_outcome_and_counts_it() -> None:
    made = producer()
    waiting = await in_flight(made, 3)
    assert await made.close(0) == 3
    for task in waiting:
        with pytest.raises(NeighbourUnavailableError, match="closed before it answered"):
            await task
    assert await made.close(0) == 0


async def test_a_closed_producer_takes_nothing_more() -> None:
    made = producer()
    await made.close(0)
    with pytest.raises(NeighbourUnavailableError, match="is closed"):
        await made.publish(MESSAGE)


async def test_an_outcome_that_comes_after_the_close_changes_nothing() -> None:
    """The library still reports on what it gave up; a second outcome for one future would raise in its callback."""
    made = producer(delivery_timeout_ms=200)
    [waiting] = await in_flight(made, 1)
    await made.close(0)
    with pytest.raises(NeighbourUnavailableError, match="closed before it answered"):
        await waiting
    assert await asyncio.to_thread(made._producer.poll, 10) >= 1


async def test_what_is_settled_while_it_closes_is_not_counted() -> None:
    made = producer(delivery_timeout_ms=200)
    [waiting] = await in_flight(made, 1)
    assert await made.close(30) == 0
    with pytest.raises(NeighbourUnavailableError, match="_MSG_TIMED_OUT"):
        await waiting


async def test_a_waiter_that_gave_up_is_not_told() -> None:
    made = producer()
    [waiting] = await in_flight(made, 1)
    waiting.cancel()
    await asyncio.sleep(0)
    assert await made.close(0) == 1
    assert waiting.cancelled()


async def test_whatever_is_raised_while_it_polls_each_message_still_gets_its_outcome() -> None:
    """What librdkafka calls back may raise out of a poll, as after a fatal error: nobody would poll again."""

    def broken(_: str) -> None:
        raise SystemError("as told")

    config = {"statistics.interval.ms": 10, "stats_cb": broken}
    raised: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
    made = AcknowledgedProducer(config, delivery_timeout_ms=200, max_message_bytes=1_000_000)
    [waiting] = await in_flight(made, 1)
    with pytest.raises(NeighbourUnavailableError, match="_MSG_TIMED_OUT"):
        await asyncio.wait_for(waiting, 10)
    assert raised
    await made.close(0)
