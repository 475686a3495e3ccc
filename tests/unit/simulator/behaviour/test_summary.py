"""The world agrees with what is published, within the ranges that the assumptions file states."""

import pytest

from services.simulator.behaviour.summary import as_text, check
from tests.unit.simulator.behaviour.worlds import world

pytestmark = pytest.mark.slow


def test_every_claim_of_grade_a_or_b_holds() -> None:
    outside = [f"{one.claim.name}: {one.measured:.3f}" for one in check(world(4000)) if not one.holds]
    assert outside == []


def test_the_summary_says_it_in_words() -> None:
    year = world()
    text = as_text(year, check(year))
    for words in ("insufficient_funds", "fraud: ", "left by will", "fixed ladder", "  A", "  B"):
        assert words in text


def test_a_world_of_nobody_much_is_summed_up_too() -> None:
    year = world(2, 1, 3)
    assert "2 customers" in as_text(year, check(year))
