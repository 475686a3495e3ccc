"""A profile keeps distributions in few numbers, and what is not known beside them."""

import numpy as np
import pytest

from mlops.registry.profile import Distribution, Profile


def test_few_different_values_are_counted_one_by_one() -> None:
    found = Distribution.of(np.array([2.0, 0.0, 2.0, np.nan, 1.0]))
    assert found == Distribution(edges=(0.0, 1.0, 2.0), counts=(1, 1, 2, 0), missing=1)
    assert found.rows == 5


def test_many_different_values_are_counted_by_percentile() -> None:
    found = Distribution.of(np.arange(10_000.0))
    assert len(found.edges) == 100
    assert set(found.counts[:-1]) <= {99, 100, 101}
    assert found.counts[-1] == 0


def test_nothing_known_has_one_empty_bin() -> None:
    assert Distribution.of(np.array([np.nan, np.nan])) == Distribution((), (0,), 2)


def test_a_profile_is_read_as_it_was_written() -> None:
    rows = np.random.default_rng(1).normal(size=(500, 2))
    rows[::7, 0] = np.nan
    profile = Profile.of(("a", "b"), rows, rows[:, 1] / 10, {"decline": 0.9})
    assert Profile.of_json(profile.as_json()) == profile
    assert profile.features["a"].missing == 72


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 2}', '{"format": 1}', "no json"])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words differ by what is wrong
        Profile.of_json(text)
