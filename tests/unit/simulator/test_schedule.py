"""When deliveries are due: at a fixed rate, or as fast again as they happened."""

from itertools import islice

import pytest

from services.simulator.behaviour.webhooks import webhooks
from services.simulator.events import Event, Expected
from services.simulator.injections import Delivery
from services.simulator.schedule import at_fixed_rate, at_own_times
from tests.unit.simulator.behaviour.worlds import world


def delivery(arrives_at: float | None) -> Delivery:
    event = Event("evt_1", "charge.succeeded", b"{}", Expected.NORMALISED, arrives_at=arrives_at)
    return Delivery(event, event.body, event.expected)


def test_a_fixed_rate_spaces_deliveries_evenly() -> None:
    due = [one.due_seconds for one in at_fixed_rate([delivery(None)] * 3, 4.0)]
    assert due == [0.0, 0.25, 0.5]


def test_a_speed_keeps_the_spaces_of_the_world() -> None:
    due = [one.due_seconds for one in at_own_times([delivery(100.0), delivery(160.0), delivery(220.0)], 60.0)]
    assert due == [0.0, 1.0, 2.0]


def test_a_delivery_that_comes_again_later_is_not_due_in_the_past() -> None:
    due = [one.due_seconds for one in at_own_times([delivery(100.0), delivery(160.0), delivery(100.0)], 60.0)]
    assert due == [0.0, 1.0, 1.0]


def test_events_without_a_time_and_speeds_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="time to be posted at"):
        list(at_own_times([delivery(None)], 1.0))
    with pytest.raises(ValueError, match="above 0"):
        list(at_own_times([], 0.0))


def test_a_world_can_be_scheduled() -> None:
    events = islice(webhooks(world().told), 50)
    due = [one.due_seconds for one in at_own_times((Delivery(e, e.body, e.expected) for e in events), 3600.0)]
    assert due == sorted(due)
    assert due[-1] > 0
