"""The records of the logging policy judge other policies: by inverse propensities as by the truth."""

import pytest

from services.simulator.behaviour.judging import (
    best_hours,
    by_retries_alone,
    eight_in_two_weeks,
    ladder,
    share_recovered,
)
from tests.unit.simulator.behaviour.worlds import world

pytestmark = pytest.mark.slow

HOUR = 3600


def test_the_best_hours_recover_more_than_any_fixed_schedule() -> None:
    curves = [by_retries_alone(story.curve) for story in world(1500).stories if story.decisions and story.curve][:60]
    best = share_recovered(curves, best_hours)
    assert best > share_recovered(curves, eight_in_two_weeks) > share_recovered(curves, ladder)
    assert all(len(best_hours(curve)) <= 8 for curve in curves[:10])


def test_inverse_propensities_estimate_what_another_policy_would_get() -> None:
    """A first retry 24 to 47 hours later, at any of its hours: its value from the records and from the truth."""
    first = [(story, story.decisions[0]) for story in world(4000).stories if story.decisions]
    # What a customer may overtake is left out on both sides.
    able = [
        (story, decision)
        for story, decision in first
        if story.curve and decision.propensity < 1 and story.curve.new_card_at is None
    ]
    estimate = sum(
        (decision.outcome == "succeeded") / decision.propensity for _, decision in able if decision.bucket == "24-47"
    ) / sum(1 / decision.propensity for _, decision in able if decision.bucket == "24-47")
    truth = sum(
        sum(story.curve.success_probability(story.created + hour * HOUR, [story.created]) for hour in range(24, 48))
        / 24
        for story, _ in able
        if story.curve
    ) / len(able)
    assert abs(estimate - truth) < 0.06
