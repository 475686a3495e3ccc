"""Off-policy estimates are what theory says of them, on bandits whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.training.offpolicy import Floats, Ints, Logged, doubly_robust, estimates, ips, snips

pytestmark = pytest.mark.slow

COUNTS = st.lists(st.integers(1, 20), min_size=2, max_size=6)


def logged(action: Ints, reward: Floats, behaviour: Floats, target: Floats, model: Floats) -> Logged:
    """Decisions among the same actions every time; `model` says what each brings."""
    return Logged(
        reward=reward,
        propensity=behaviour[action],
        target=target[action],
        modelled=model[action],
        modelled_target=np.full(len(action), float(target @ model)),
        group=np.arange(len(action)),
    )


def drawn(seed: int, count: int) -> tuple[Ints, Floats, Floats, Floats, Floats]:
    """Actions of a random policy, what they brought, both policies, and what each action brings on average."""
    random = np.random.default_rng(seed)
    mean, behaviour, target = random.random(5), random.dirichlet(np.full(5, 3.0)), random.dirichlet(np.ones(5))
    action = random.choice(5, count, p=behaviour)
    return action, (random.random(count) < mean[action]).astype(np.float64), behaviour, target, mean


@given(COUNTS, st.integers(0, 1_000_000))
def test_ips_has_no_bias(counts: list[int], seed: int) -> None:
    """In a log that holds every action as often as its chance says, the estimate is the truth itself."""
    random = np.random.default_rng(seed)
    reward, target = random.normal(size=len(counts)), random.dirichlet(np.ones(len(counts)))
    behaviour = np.array(counts) / sum(counts)
    action = np.repeat(np.arange(len(counts)), counts)
    log = logged(action, reward[action], behaviour, target, np.zeros(len(counts)))
    assert ips(log) == pytest.approx(target @ reward)


@given(st.integers(0, 1_000_000), st.integers(1, 60))
def test_snips_stays_among_the_rewards_seen(seed: int, count: int) -> None:
    action, reward, behaviour, target, mean = drawn(seed, count)
    value = snips(logged(action, reward, behaviour, target, mean))
    assert reward.min() - 1e-9 <= value <= reward.max() + 1e-9


@given(st.integers(0, 1_000_000), st.integers(1, 60))
def test_doubly_robust_is_exact_where_the_model_is(seed: int, count: int) -> None:
    action, _, behaviour, target, mean = drawn(seed, count)
    log = logged(action, mean[action], behaviour, target, mean)
    assert doubly_robust(log) == pytest.approx(target @ mean)
    assert doubly_robust(log, most=0.5) == pytest.approx(target @ mean)


@given(COUNTS, st.integers(0, 1_000_000))
def test_doubly_robust_is_right_with_a_wrong_model_where_the_chances_are(counts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    reward, target = random.normal(size=len(counts)), random.dirichlet(np.ones(len(counts)))
    action = np.repeat(np.arange(len(counts)), counts)
    wrong = random.normal(size=len(counts))
    log = logged(action, reward[action], np.array(counts) / sum(counts), target, wrong)
    assert doubly_robust(log) == pytest.approx(target @ reward)


@pytest.mark.parametrize("name", ["IPS", "SNIPS", "DR"])
def test_intervals_hold_the_truth_as_often_as_they_say(name: str) -> None:
    held = 0
    for seed in range(100):
        action, reward, behaviour, target, mean = drawn(seed, 400)
        found = estimates(logged(action, reward, behaviour, target, mean * 0.8), seed=seed, rounds=200)[name]
        held += int(found.low <= float(target @ mean) <= found.high)
    assert held >= 88


def test_the_log_of_the_policy_itself_is_as_long_as_it_is() -> None:
    action, reward, behaviour, _, mean = drawn(1, 400)
    found = estimates(logged(action, reward, behaviour, behaviour, mean), seed=1, rounds=10)
    assert found["IPS"].effective == pytest.approx(400)
    assert found["IPS"].value == pytest.approx(reward.mean())


def test_a_decision_of_chance_0_is_refused() -> None:
    log = logged(np.array([0]), np.ones(1), np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.zeros(2))
    with pytest.raises(ValueError, match="chance 0"):
        ips(log)
