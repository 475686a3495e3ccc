from datetime import UTC, datetime, timedelta

from services.inference.breaker import Breaker
from services.runtime.clock import FrozenClock


def breaker() -> tuple[Breaker, FrozenClock]:
    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
    return Breaker(clock, failures=3, rest_seconds=2.0), clock


def test_it_opens_after_so_many_failures_in_a_row_and_tells_once() -> None:
    tested, _ = breaker()
    assert [tested.failed() for _ in range(4)] == [False, False, True, False]
    assert tested.is_open


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    tested, _ = breaker()
    for _ in range(5):
        tested.failed()
        tested.failed()
        assert not tested.succeeded()
    assert not tested.is_open


def test_a_probe_is_due_after_the_rest_and_each_that_fails_begins_another() -> None:
    tested, clock = breaker()
    for _ in range(3):
        tested.failed()
    waits = [tested.seconds_to_probe]
    for seconds in (1.5, 5):
        clock.advance(timedelta(seconds=seconds))
        waits.append(tested.seconds_to_probe)
    tested.failed()
    assert [*waits, tested.seconds_to_probe] == [2.0, 0.5, 0.0, 2.0]


def test_an_answered_probe_closes_it() -> None:
    tested, _ = breaker()
    for _ in range(3):
        tested.failed()
    assert tested.succeeded()
    assert (tested.is_open, tested.seconds_to_probe) == (False, None)
