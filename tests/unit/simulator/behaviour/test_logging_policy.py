"""The logging policy's chances are what it does, and no rule is broken under any draw."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.behaviour.assumptions import load_assumptions
from services.simulator.behaviour.draws import Draws
from services.simulator.behaviour.logging_policy import STOP, Failure, LoggingPolicy, may_try_again
from services.simulator.tables.declines import CONFIRM, LATER, NEVER

POLICY = LoggingPolicy(load_assumptions().logging)
SOFT = Failure("visa", "generic_decline", LATER, "05", None, 1, 0.0)


def failure(code: str = "generic_decline", **seen: object) -> Failure:
    values = {name: getattr(SOFT, name) for name in Failure.__dataclass_fields__}
    return Failure(**{**values, "code": code, **seen})


FAILURES = st.builds(
    Failure,
    brand=st.sampled_from(["visa", "mastercard", "amex"]),
    code=st.sampled_from(["generic_decline", "insufficient_funds", "expired_card", "stolen_card"]),
    advice=st.sampled_from([None, LATER, NEVER, CONFIRM]),
    network_code=st.sampled_from([None, "05", "51", "14", "R1"]),
    network_advice_code=st.sampled_from([None, "01", "02", "03", "21", "24", "30"]),
    attempt_number=st.integers(1, 8),
    hours_since_first=st.floats(0, 400),
)


@given(FAILURES)
def test_chances_are_positive_and_leave_the_rest_to_stopping(seen: Failure) -> None:
    chances = [chance for _, chance in POLICY.options(seen)]
    assert all(0 < chance < 1 for chance in chances)
    assert sum(chances) < 1


@given(FAILURES, st.integers(0, 1000))
def test_a_choice_is_within_the_rules_and_the_horizon(seen: Failure, seed: int) -> None:
    choice = POLICY.choose(seen, Draws(seed, 0))
    if choice.wait_hours is None:
        assert choice.bucket == STOP
        return
    assert may_try_again(seen)
    assert seen.attempt_number < 7
    assert seen.hours_since_first + choice.wait_hours <= 14 * 24
    waits = {"02": 72, "24": 1, "30": 240}
    assert choice.wait_hours >= waits.get(seen.network_advice_code or "", 1)
    assert 0 < choice.propensity_hour <= choice.propensity


@pytest.mark.parametrize(
    "seen",
    [
        failure("stolen_card", advice=NEVER),
        failure("authentication_required", advice=None),
        failure("incorrect_number", advice=CONFIRM),
        failure(network_code="14"),
        failure(brand="mastercard", network_advice_code="03"),
        failure(brand="mastercard", network_advice_code="21"),
        failure(attempt_number=7),
    ],
)
def test_what_must_not_be_tried_again_is_stopped_for_certain(seen: Failure) -> None:
    choice = POLICY.choose(seen, Draws(1, 0))
    assert (choice.bucket, choice.propensity, choice.propensity_hour) == (STOP, 1, 1)


def test_choices_are_as_frequent_as_their_chances() -> None:
    draws, count = Draws(4, 0), 6000
    choices = [POLICY.choose(SOFT, draws) for _ in range(count)]
    seen = Counter(choice.bucket for choice in choices)
    for bucket, chance in POLICY.options(SOFT):
        assert seen[bucket.name] / count == pytest.approx(chance, abs=0.02)
        assert {choice.propensity for choice in choices if choice.bucket == bucket.name} == {chance}
    assert seen[STOP] / count == pytest.approx(0.05, abs=0.01)


def test_an_hour_is_uniform_in_its_bucket() -> None:
    draws = Draws(5, 0)
    hours = Counter(c.wait_hours for c in (POLICY.choose(SOFT, draws) for _ in range(6000)) if c.bucket == "1-3")
    assert set(hours) == {1, 2, 3}
    assert all(count / hours.total() == pytest.approx(1 / 3, abs=0.08) for count in hours.values())


def test_what_is_not_shown_is_not_known() -> None:
    hidden = failure(brand="mastercard", network_advice_code=None)
    assert may_try_again(hidden)
