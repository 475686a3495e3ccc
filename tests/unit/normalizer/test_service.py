"""Waiting for what is missing, starting anew, and giving up."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from services.normalizer.loop import Loop
from services.normalizer.pipeline import Pipeline
from services.normalizer.ports import Stream, StreamHeldError, StreamLostError
from services.normalizer.service import EXIT_FAILED, EXIT_FLOOD, EXIT_STOPPED, serve
from services.runtime.clock import FrozenClock
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.flood import FloodLimit
from services.runtime.readiness import Readiness
from tests.fakes.stream import MemoryBroker, MemoryStream
from tests.unit.normalizer.test_loop import BAD, PIPELINE, InstantEvent, StoppingAtTheEnd, good, ids, records


class World:
    """Streams and refusals in the order in which connecting finds them."""

    def __init__(self, *found: MemoryStream | Exception) -> None:
        self.found = list(found)
        self.stopping = InstantEvent()
        self.told: list[str | None] = []
        clock = FrozenClock(datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
        self.readiness = Readiness(clock)
        self.loop = Loop("normalizer", FloodLimit(3, 10), clock, self.readiness, self.stopping)

    def connect(self) -> tuple[Stream, Pipeline]:
        self.told.append(self.readiness.check())
        next_found = self.found.pop(0)
        if isinstance(next_found, Exception):
            raise next_found
        return next_found, PIPELINE

    def ending(self, values: Sequence[bytes]) -> MemoryStream:
        """A stream after which the process is told to stop."""
        return StoppingAtTheEnd(values, self.stopping)

    def serve(self) -> int:
        return serve(self.connect, self.loop, self.readiness, self.stopping)


def test_it_waits_for_neighbours_and_says_for_which() -> None:
    world = World(NeighbourUnavailableError("Kafka", "away"), DeployStepMissingError("run `make register`"))
    last = world.ending([good(1)])
    world.found.append(last)
    assert world.serve() == EXIT_STOPPED
    assert world.told == ["starting", "Kafka is unavailable: away", "run `make register`"]
    assert ids(last.delivered) == ["stripe:evt_1"]
    assert last.closed


def test_told_to_stop_while_it_waits_it_stops() -> None:
    world = World(NeighbourUnavailableError("Kafka", "away"))
    world.stopping.set()
    assert world.serve() == EXIT_STOPPED
    assert world.found


def test_a_lost_stream_is_replaced() -> None:
    lost = MemoryStream(MemoryBroker(records([good(1)])))
    lost.failures.append(StreamLostError("fenced"))
    world = World(lost)
    world.found.append(world.ending([good(1)]))
    assert world.serve() == EXIT_STOPPED
    assert lost.closed
    assert world.told == ["starting", "fenced"]


def _losing(deliveries: int) -> MemoryStream:
    stream = MemoryStream(MemoryBroker(records([good(number) for number in range(deliveries + 1)]), batch=1))
    deliver: Callable[..., None] = stream.deliver

    def deliver_or_lose(outgoing: Sequence[object]) -> None:
        if len(stream.delivered) == deliveries:
            raise StreamLostError("gone")
        deliver(outgoing)

    stream.deliver = deliver_or_lose  # type: ignore[method-assign]
    return stream


def test_streams_that_are_lost_one_after_the_other_end_the_process() -> None:
    world = World(*(_losing(0) for _ in range(10)))
    assert world.serve() == EXIT_FAILED
    assert not world.found


def test_streams_that_deliver_before_they_are_lost_do_not() -> None:
    world = World(*(_losing(1) for _ in range(25)))
    world.found.append(world.ending([]))
    assert world.serve() == EXIT_STOPPED


def test_a_flood_ends_the_process_with_a_code_of_its_own() -> None:
    flooded = MemoryStream(MemoryBroker(records([BAD] * 9)))
    world = World(flooded)
    assert world.serve() == EXIT_FLOOD
    assert flooded.held
    assert flooded.closed


def test_a_hold_that_another_process_left_is_waited_out() -> None:
    held = MemoryStream(MemoryBroker([]))
    held.hold("a topic[0]@5 more than 3 of the last 10 messages failed")
    world = World(held, StreamHeldError("a topic[0]@5 flood"))
    after = world.ending([good(1)])
    world.found.append(after)
    assert world.serve() == EXIT_STOPPED
    assert ids(after.delivered) == ["stripe:evt_1"]
    assert all("services.normalizer resume" in (told or "") for told in world.told[1:])
