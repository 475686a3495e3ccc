"""When failures are a flood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.normalizer.settings import NormalizerSettings
from services.runtime.flood import FloodLimit


def committed(limit: FloodLimit, failed: list[bool]) -> bool:
    """Admit and count a batch; whether it was admitted."""
    if not limit.admits(failed):
        return False
    limit.count(failed)
    return True


def test_as_many_failures_as_the_limit_pass_and_one_more_does_not() -> None:
    limit = FloodLimit(failures=3, window=10)
    assert committed(limit, [True, False, True, True])
    assert not limit.admits([True])


def test_failures_that_left_the_window_count_no_more() -> None:
    limit = FloodLimit(failures=3, window=10)
    assert committed(limit, [True] * 3)
    assert committed(limit, [False] * 7)
    assert committed(limit, [True] * 3)
    assert not committed(limit, [True])


def test_a_batch_that_was_only_looked_at_is_not_counted() -> None:
    limit = FloodLimit(failures=3, window=10)
    for _ in range(10):
        assert limit.admits([True] * 3)


def test_a_batch_larger_than_the_window_is_judged_by_its_worst_stretch() -> None:
    limit = FloodLimit(failures=3, window=5)
    assert limit.admits([True, False, False, False, True] * 20)
    assert not limit.admits([False] * 50 + [True] * 4 + [False] * 50)


def test_by_default_a_burst_of_hundreds_among_thousands_passes() -> None:
    settings = NormalizerSettings()
    limit = FloodLimit(settings.normalizer_flood_failures, settings.normalizer_flood_window)
    assert committed(limit, [False] * 1000)
    assert committed(limit, [True] * 400)
    assert committed(limit, [False] * 3000)


def test_by_default_a_thousand_failures_in_a_row_do_not() -> None:
    settings = NormalizerSettings()
    limit = FloodLimit(settings.normalizer_flood_failures, settings.normalizer_flood_window)
    admitted = sum(committed(limit, [True] * 100) for _ in range(10))
    assert admitted == settings.normalizer_flood_failures // 100


@pytest.mark.parametrize(("failures", "window"), [(0, 10), (10, 10), (11, 10)])
def test_a_limit_that_can_never_be_reached_is_refused(failures: int, window: int) -> None:
    with pytest.raises(ValueError, match="never"):
        FloodLimit(failures, window)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5), st.integers(6, 20), st.integers(1, 9))
def test_it_counts_as_a_plain_look_back_does(messages: list[bool], failures: int, window: int, size: int) -> None:
    limit = FloodLimit(failures, window)
    past: list[bool] = []
    for start in range(0, len(messages), size):
        batch = messages[start : start + size]
        after = [*past, *batch]
        ends = range(len(past) + 1, len(after) + 1)
        expected = all(sum(after[max(0, end - window) : end]) <= failures for end in ends if after[end - 1])
        assert limit.admits(batch) == expected
        if expected:
            limit.count(batch)
            past = after
