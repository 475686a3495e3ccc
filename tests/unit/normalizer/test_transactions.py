"""A call into a library that does not come back is given up, and only such a call."""

import threading

import pytest

from services.normalizer.adapters.transactions import bounded


def test_a_call_that_returns_is_awaited() -> None:
    done: list[int] = []
    bounded(lambda: done.append(1), 5.0)
    assert done == [1]


def test_a_call_that_hangs_is_given_up() -> None:
    never = threading.Event()

    def hangs() -> None:
        never.wait(30)

    with pytest.raises(TimeoutError):
        bounded(hangs, 0.05)
    never.set()


def test_what_a_call_raises_is_raised_where_it_was_asked_for() -> None:
    def fails() -> None:
        raise ValueError("told")

    with pytest.raises(ValueError, match="told"):
        bounded(fails, 5.0)
