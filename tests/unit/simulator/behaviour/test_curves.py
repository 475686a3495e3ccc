"""The truth about trying again: probabilities that say what attempts do."""

from collections import Counter
from dataclasses import asdict, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.behaviour.curves import HORIZON_DAYS, Curve, curve_of, failing_cause, recovery
from services.simulator.behaviour.draws import Draws
from tests.unit.simulator.behaviour.worlds import world

pytestmark = pytest.mark.slow

HOUR, DAY = 3600, 86400
# A Monday, noon.
OPENED = 1_736_164_800
CURVE = Curve(
    opened_at=OPENED,
    headroom=5.0,
    lift=0.0,
    fade_days=5.0,
    steepness=6.0,
    paydays=(OPENED - 10 * DAY, OPENED + 4 * DAY),
    spending=(0.0,) * (HORIZON_DAYS + 2),
    offset_hours=0.0,
    outages=(),
    outage_failures=0.4,
    batch_hour=2,
    batch_failures=0.0,
    background_failures=0.0,
    caution=0.01,
    night_caution=3.0,
    velocity=0.3,
    fatigue=0.1,
    condition="",
    released_at=None,
    held_success=0.02,
    new_card_unasked_at=None,
    new_card_asked_at=None,
    asked=False,
)


def curves() -> list[Curve]:
    return [story.curve for story in world().stories if story.curve and story.failed_at_first]


@given(st.integers(0, HORIZON_DAYS * 24), st.integers(0, 10_000), st.lists(st.integers(0, 500), max_size=8))
def test_a_probability_is_one(hours: int, which: int, declined: list[int]) -> None:
    curve = curves()[which % len(curves())]
    at = curve.opened_at + hours * HOUR
    assert 0 <= curve.success_probability(at, [curve.opened_at + hour * HOUR for hour in declined]) <= 1


def test_income_lifts_the_chance_and_spending_wears_it_down() -> None:
    poor = replace(CURVE, headroom=-1.0, lift=2.0, fade_days=4.0)
    before, after, later = (poor.success_probability(OPENED + hours * HOUR) for hours in (95, 97, 24 * 12))
    assert before < 0.1
    assert after > 0.9
    assert later < after


def test_a_hold_ends_when_it_ends() -> None:
    held = replace(CURVE, condition="hold", released_at=OPENED + 3 * DAY)
    assert held.success_probability(OPENED + 3 * DAY - 1) < 0.03
    assert held.success_probability(OPENED + 3 * DAY) > 0.9


def test_only_another_card_ends_a_lasting_condition() -> None:
    lost = replace(CURVE, condition="stolen", new_card_asked_at=OPENED + 2 * DAY, new_card_unasked_at=None)
    assert lost.success_probability(OPENED + 30 * DAY) < 0.03
    asked = replace(lost, asked=True)
    assert asked.success_probability(OPENED + DAY) < 0.03
    assert asked.success_probability(OPENED + 2 * DAY) > 0.9


def test_declines_of_the_last_day_cost_more_than_old_ones_and_a_new_card_has_none() -> None:
    at = OPENED + 5 * DAY + 12 * HOUR
    free = CURVE.success_probability(at)
    assert CURVE.success_probability(at, [OPENED]) == pytest.approx(free * 0.9)
    assert CURVE.success_probability(at, [at - HOUR]) == pytest.approx(free * 0.9 * 0.7)
    assert CURVE.success_probability(at, [at, at + HOUR]) == pytest.approx(free)
    replaced = replace(CURVE, new_card_unasked_at=OPENED + DAY)
    assert replaced.success_probability(at, [OPENED]) == pytest.approx(free)


def test_issuers_are_down_in_outages_and_careful_at_night() -> None:
    outage = (OPENED + 3 * HOUR, OPENED + 5 * HOUR)
    curve = replace(CURVE, outages=(outage,))
    by_hour = [curve.success_probability(OPENED + hour * HOUR) for hour in range(24)]
    assert by_hour[3] == pytest.approx(by_hour[2] * 0.6)
    assert by_hour[5] == pytest.approx(by_hour[2])
    assert by_hour[14] == pytest.approx(by_hour[2] * 0.97 / 0.99)


def test_attempts_do_what_their_probability_says_and_fail_of_the_cause_that_stopped_them() -> None:
    draws, tries = Draws(9, 0), 4000
    poor = replace(CURVE, headroom=0.05, caution=0.2, background_failures=0.1)
    at = OPENED + HOUR
    factors = poor.factors(at)
    causes = Counter(failing_cause(poor, factors, at, draws) for _ in range(tries))
    assert causes[None] / tries == pytest.approx(factors.success, abs=0.025)
    assert causes["trouble"] / tries == pytest.approx(0.1, abs=0.02)
    assert causes["caution"] / tries == pytest.approx(0.9 * 0.2, abs=0.025)
    assert causes["funds"] / tries == pytest.approx(0.9 * 0.8 * (1 - factors.funded), abs=0.03)


def test_a_lasting_condition_is_the_cause_that_is_given() -> None:
    lost = replace(CURVE, condition="stolen")
    assert {failing_cause(lost, lost.factors(OPENED), OPENED, Draws(1, 0)) for _ in range(20)} == {"stolen"}


def test_more_tries_recover_more() -> None:
    for curve in curves()[:50]:
        hours = [24, 72, 120, 168]
        values = [recovery(curve, [curve.opened_at + hour * HOUR for hour in hours[:count]]) for count in range(5)]
        assert values[0] == 0
        assert all(less <= more for less, more in pairwise(values))


def test_a_curve_comes_back_from_its_row() -> None:
    for curve in curves()[:20]:
        row = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(curve).items()}
        assert curve_of(row) == curve
