"""A neighbour's absence is waited for up to a bound."""

from datetime import UTC, datetime, timedelta

from services.orchestrator.outage import Outage
from services.runtime.clock import FrozenClock


def setup() -> tuple[Outage, FrozenClock]:
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
    return Outage(clock, patience_seconds=60), clock


def test_a_neighbour_that_is_there_is_not_waited_for() -> None:
    outage, _ = setup()
    assert (outage.awaited(), outage.is_given_up()) == (None, False)


def test_one_that_is_away_is_waited_for_and_then_given_up() -> None:
    outage, clock = setup()
    outage.note("away")
    clock.advance(timedelta(seconds=59))
    outage.note("still away")
    assert (outage.awaited(), outage.is_given_up()) == ("still away", False)
    clock.advance(timedelta(seconds=1))
    assert (outage.awaited(), outage.is_given_up()) == (None, True)


def test_the_next_outage_is_waited_for_anew() -> None:
    outage, clock = setup()
    outage.note("away")
    clock.advance(timedelta(seconds=61))
    outage.end()
    assert (outage.awaited(), outage.is_given_up()) == (None, False)
    outage.note("away again")
    assert outage.awaited() == "away again"
