"""Windows over columns, against what they mean."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from mlops.features.windows import SIGNED, HourCounts, Marks, span

SMALL = st.integers(0, 40)


@given(st.lists(SMALL).map(sorted), SMALL, st.integers(1, 20), st.integers(0, 20))
def test_a_span_holds_what_lies_in_the_window(times: list[int], at: int, length: int, delay: int) -> None:
    start, end = span(array(SIGNED, times), at, length, delay)
    assert times[start:end] == [each for each in times if at - delay - length < each <= at - delay]


@given(st.lists(st.tuples(SMALL, SMALL, SMALL)))
def test_marks_are_kept_in_time_and_each_key_once(told: list[tuple[int, int, int]]) -> None:
    marks = Marks.none()
    expected: dict[int, tuple[int, int]] = {}
    for time, key, value in told:
        marks = marks.marked(time, key, value)
        expected.setdefault(key, (time, value))
    assert list(marks.times) == sorted(time for time, _ in expected.values())
    assert {key: (time, value) for time, key, value in zip(marks.times, marks.keys, marks[2], strict=True)} == expected


@given(st.lists(st.tuples(SMALL, st.sampled_from([(0,), (1,), (0, 1)]))), SMALL, SMALL, SMALL)
def test_counts_by_hour_are_counts(told: list[tuple[int, tuple[int, ...]]], forgotten: int, one: int, two: int) -> None:
    counts = HourCounts.none(2)
    for hour, kinds in told:
        counts = counts.counted(hour, kinds)
    kept = counts.after(forgotten)
    assert list(kept.hours) == sorted({hour for hour, _ in told if hour > forgotten})
    for kind in (0, 1):
        window = kept.hours[min(one, two) : max(one, two)]
        expected = sum(kind in kinds for hour, kinds in told if hour in window)
        assert kept.between(kind, min(one, two), min(max(one, two), len(kept.hours))) == expected
