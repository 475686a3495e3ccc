"""A flood of one kind shows its start and its size, and hides no other kind."""

from datetime import timedelta

from services.gateway.throttle import Throttle
from services.runtime.clock import FrozenClock
from tests.unit.gateway.events import NOW


def test_lines_beyond_the_burst_are_left_out_and_counted_in_the_next_window() -> None:
    clock = FrozenClock(NOW)
    throttle = Throttle(clock, burst=2, window_seconds=10)
    assert [throttle.admit("a") for _ in range(5)] == [0, 0, None, None, None]
    clock.advance(timedelta(seconds=10))
    assert [throttle.admit("a") for _ in range(3)] == [3, 0, None]


def test_kinds_have_their_own_windows() -> None:
    throttle = Throttle(FrozenClock(NOW), burst=1)
    assert [throttle.admit("a"), throttle.admit("a"), throttle.admit("b")] == [0, None, 0]
