"""PSI and KS are those of the books, and what chance does is told apart."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops.monitoring.distances import Tally, index, ks, psi
from mlops.registry.profile import Distribution, Floats


def tally(reference: Distribution, values: Floats) -> Tally:
    made = Tally(reference)
    for part in np.array_split(values, 3):
        made.add(part)
    return made


def distances(ours: Floats, theirs: Floats) -> tuple[float, float, float, float]:
    reference = Distribution.of(ours)
    counted = tally(reference, theirs)
    found, distance = psi(reference, counted, 0.01), ks(reference, counted)
    assert found is not None
    assert distance is not None
    return found.value, found.by_chance, distance.value, distance.p_value


def test_the_index_is_the_sum_over_bins() -> None:
    expected, actual = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.3, 0.3])
    by_hand = 0.2 * math.log(2) + 0.2 * math.log(0.5 / 0.3)
    assert index(expected, actual) == pytest.approx(by_hand)
    assert index(expected, actual) == pytest.approx(0.2408, abs=1e-4)
    assert index(expected, expected) == 0


def test_an_empty_bin_is_no_infinity() -> None:
    assert index(np.array([0.5, 0.5, 0]), np.array([1.0, 0, 0])) == pytest.approx(
        0.5 * math.log(2) + (1e-4 - 0.5) * math.log(1e-4 / 0.5)
    )


def test_ten_bins_of_about_as_many_values() -> None:
    reference = Distribution.of(np.arange(1000.0))
    value, _, _, _ = distances(np.arange(1000.0), np.arange(500.0))
    assert value == pytest.approx(5 * (0.2 - 0.1) * math.log(2) + 5 * (1e-4 - 0.1) * math.log(1e-3), abs=1e-6)
    assert sum(reference.counts) == 1000


def test_values_that_went_missing_are_a_drift() -> None:
    values = np.arange(1000.0)
    gone = np.where(np.arange(1000) % 2 == 0, np.nan, values)
    value, by_chance, distance, _ = distances(values, gone)
    assert value == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(5000), rel=1e-3)
    assert value > by_chance
    assert distance < 0.01, "of the known values nothing changed"


@pytest.mark.parametrize("shift", [0, 1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_distance_of_few_different_values_is_that_of_scipy(shift: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    ours = random.poisson(4, 3_000).astype(float)
    theirs = random.poisson(4 + shift, 400).astype(float)
    expected = stats.ks_2samp(ours, theirs, method="asymp")
    _, _, distance, p_value = distances(ours, theirs)
    assert distance == pytest.approx(expected.statistic)
    assert p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("shift", [0.0, 0.2, 2.0])
def test_that_of_many_different_values_misses_no_more_than_a_percentile(shift: float) -> None:
    random = np.random.default_rng(1)
    ours, theirs = random.normal(size=5_000), random.normal(loc=shift, size=700)
    expected = stats.ks_2samp(ours, theirs).statistic
    assert distances(ours, theirs)[2] == pytest.approx(expected, abs=0.02)
    assert distances(ours, theirs)[2] <= expected + 1e-12


@given(st.lists(st.one_of(st.integers(-50, 50).map(float), st.just(math.nan)), min_size=1, max_size=300))
def test_the_same_values_lie_nowhere_else(values: list[float]) -> None:
    same = np.array(values)
    reference = Distribution.of(same)
    found, distance = psi(reference, tally(reference, same), 0.01), ks(reference, tally(reference, same))
    assert found is not None
    assert found.value == pytest.approx(0)
    assert distance is None or (distance.value == pytest.approx(0) and distance.p_value == pytest.approx(1))


def test_chance_alone_seldom_makes_more_than_it_is_said_to() -> None:
    random = np.random.default_rng(7)
    reference = Distribution.of(random.normal(size=10_000))
    above = 0
    for _ in range(400):
        found = psi(reference, tally(reference, random.normal(size=300)), 0.01)
        assert found is not None
        above += found.value > found.by_chance
    assert above <= 12, "one in a hundred is expected"


def test_nothing_to_compare_is_no_distance() -> None:
    reference = Distribution.of(np.arange(10.0))
    assert psi(reference, Tally(reference), 0.01) is None
    assert ks(reference, tally(reference, np.array([math.nan]))) is None
    assert ks(Distribution.of(np.array([math.nan])), tally(Distribution.of(np.array([math.nan])), np.ones(3))) is None
