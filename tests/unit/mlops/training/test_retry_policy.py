"""The retry policy stays within rules and horizon whatever a model says, and weighs money, cost and delay."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.inference.v1.payment_context_pb2 import PaymentContext

from mlops.features.payment import context_features
from mlops.registry.retry.inputs import DAY_S, FEATURES, HOUR_S, MOMENT, Floats, Situation, situation
from mlops.registry.retry.policy import NOTHING, Continuation, Policy, Rules, Terms

DECLINED_S = 1_761_998_400  # 2025-11-01, a Saturday, at noon UTC
OPEN = Rules(DECLINED_S, DECLINED_S + 14 * DAY_S, prohibited=False, attempts_left=8)
OUTLOOK = Continuation((0.1, 0.6), (0.0, 14.0), (((0.0, 0.0), (0.0, 0.0)), ((0.0, 0.2), (0.0, 0.5))))
ANYTHING = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1))


def declined(
    attempts_s: tuple[int, ...] = (DECLINED_S,), amount_cents: int = 2_000, currency: str = "USD"
) -> Situation:
    context = PaymentContext(
        payment_id="p",
        merchant_id="m",
        amount_cents=amount_cents,
        currency=currency,
        card_brand="visa",
        card_country="GB",
        failure_code="insufficient_funds",
        decline_class=1,  # type: ignore[arg-type]
    )
    context.occurred_at.seconds = attempts_s[-1]
    return situation(context, attempts_s, context_features(context), {"failed_payments_7d": 1})


@dataclass(frozen=True)
class Says:
    """A model that says these numbers, over and over."""

    numbers: list[float]

    def predict(self, rows: Floats) -> Floats:
        return np.resize(np.array(self.numbers), len(rows))


@dataclass(frozen=True)
class At:
    """A model that knows one good moment, hours after the decline, and says little of all others."""

    hours: float
    good: float = 0.9
    other: float = 0.05

    def predict(self, rows: Floats) -> Floats:
        return np.where(rows[:, FEATURES.index("wait_hours")] == self.hours, self.good, self.other)


@given(
    says=st.lists(ANYTHING, min_size=1, max_size=8),
    rules=st.builds(
        Rules,
        earliest_s=st.integers(DECLINED_S - 20 * DAY_S, DECLINED_S + 20 * DAY_S),
        latest_s=st.integers(DECLINED_S - 20 * DAY_S, DECLINED_S + 20 * DAY_S),
        prohibited=st.booleans(),
        attempts_left=st.integers(-1, 9),
    ),
    before=st.lists(st.integers(60, 13 * DAY_S), max_size=6),
    outlook=st.sampled_from([NOTHING, OUTLOOK]),
    amount=st.integers(0, 10_000_000),
    currency=st.sampled_from(["USD", "JPY", "XTS"]),
)
def test_no_proposal_lies_outside_rules_and_horizon_whatever_the_model_says(
    says: list[float], rules: Rules, before: list[int], outlook: Continuation, amount: int, currency: str
) -> None:
    attempts = (*sorted(DECLINED_S - ago for ago in set(before)), DECLINED_S)
    known = declined(attempts, amount, currency)
    proposal = Policy(Terms(), outlook).propose(Says(says), known, rules)
    if proposal is not None:
        assert not rules.prohibited
        assert rules.attempts_left > 0
        assert rules.earliest_s <= proposal.at_s <= rules.latest_s
        assert DECLINED_S < proposal.at_s <= known.first_s + 14 * DAY_S
        assert 0 <= proposal.probability <= 1
        assert proposal.value_usd > 0


def test_the_best_hour_is_taken() -> None:
    proposal = Policy(Terms()).propose(At(29), declined(), OPEN)
    assert proposal is not None
    assert (proposal.at_s - DECLINED_S) // HOUR_S == 29
    assert proposal.probability == 0.9


def test_what_is_not_worth_an_attempt_is_left_alone() -> None:
    terms = Terms(attempt_usd=0.5, delay_share_a_day=0.0)
    assert Policy(terms).propose(Says([0.024]), declined(), OPEN) is None
    assert Policy(terms).propose(Says([0.026]), declined(), OPEN) is not None
    assert Policy(terms).propose(Says([0.024]), declined(amount_cents=4_000), OPEN) is not None


def test_of_equal_chances_the_earliest_is_taken() -> None:
    proposal = Policy(Terms()).propose(Says([0.4]), declined(), replace(OPEN, earliest_s=DECLINED_S + 30_000))
    assert proposal is not None
    assert proposal.at_s == DECLINED_S + 30_000


def test_waiting_for_a_little_more_gives_way_when_attempts_are_left() -> None:
    """A better moment late leaves no time for another attempt: it is the choice only of who has but one."""
    late = At(329, good=0.45, other=0.4)
    outlook = replace(OUTLOOK, shares=(((0.0, 0.0), (0.0, 0.0)), ((0.0, 0.4), (0.0, 0.5))))
    one, more = (
        Policy(Terms(delay_share_a_day=0.0), outlook).propose(late, declined(), replace(OPEN, attempts_left=left))
        for left in (1, 8)
    )
    assert one is not None
    assert more is not None
    assert one.at_s > DECLINED_S + 13 * DAY_S
    assert more.at_s < DECLINED_S + DAY_S


def test_a_policy_is_the_same_after_json() -> None:
    policy = Policy(Terms(attempt_usd=0.3), OUTLOOK)
    assert Policy.of_json(json.loads(json.dumps(policy.as_json()))) == policy


BROKEN = [
    ("terms", {"attempt_usd": math.nan}, "attempt_usd"),
    ("terms", {"attempt_usd": -0.1}, "attempt_usd"),
    ("terms", {"attempt_usd": "0.6"}, "attempt_usd"),
    ("terms", {"delay_share_a_day": 1.0}, "delay_share_a_day"),
    ("terms", {"delay_share_a_day": -0.005}, "delay_share_a_day"),
    ("terms", {"apart_hours": 0}, "apart_hours"),
    ("terms", {"apart_hours": True}, "apart_hours"),
    ("terms", {"horizon_days": 61}, "horizon_days"),
    ("terms", {"horizon_days": 14.5}, "horizon_days"),
    ("continuation", {"shares": []}, "no table"),
    ("continuation", {"shares": [[[0.0, 0.0]]]}, "0 attempts left is not of its probabilities by its days"),
    ("continuation", {"shares": [[[0.0, 0.1], [0.0]]]}, "0 attempts left is not of its probabilities by its days"),
    ("continuation", {"shares": [[[0.0, 0.1], [0.0, math.inf]]]}, "share that is no number"),
    ("continuation", {"shares": [[[0.0, 0.1], [0.0, -0.2]]]}, "share that is no number"),
    ("continuation", {"probabilities": [0.6, 0.1]}, "probabilities"),
    ("continuation", {"probabilities": []}, "probabilities"),
    ("continuation", {"days": [0.0, math.nan]}, "days"),
    ("continuation", {"days": [0.0, 10**400]}, "days"),
]
"""Of a policy that was stored: what is wrong in which part, and what is said of it."""


@pytest.mark.parametrize(("part", "wrong", "says"), BROKEN)
def test_a_policy_that_cannot_be_followed_is_refused_in_words(part: str, wrong: dict[str, object], says: str) -> None:
    stored = Policy(Terms(), OUTLOOK).as_json()
    with pytest.raises(ValueError, match=says):
        Policy.of_json({**stored, part: {**stored[part], **wrong}})


def test_rows_differ_in_the_moment_alone_and_tell_it_rightly() -> None:
    known = declined((DECLINED_S - 40 * DAY_S, DECLINED_S - 6 * HOUR_S, DECLINED_S))
    rows = known.rows(np.array([DECLINED_S + 2 * HOUR_S, DECLINED_S + 20 * DAY_S]))
    fixed = len(FEATURES) - len(MOMENT)
    np.testing.assert_array_equal(rows[0, :fixed], rows[1, :fixed])
    assert dict(zip(MOMENT, rows[0, fixed:].tolist(), strict=True)) == {
        "wait_hours": 2,
        "at_hours_since_first": 8,
        "at_hour_utc": 14,
        "at_hour_there": 14,
        "at_weekday": 5,
        "at_day_of_month": 1,
        "at_declines_24h": 2,
    }
    assert known.value("attempts_so_far") == 2
    assert known.value("hours_since_previous") == 6
    assert rows[1, FEATURES.index("at_day_of_month")] == 21
