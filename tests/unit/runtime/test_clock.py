"""Time and ids are parameters."""

from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.clock import FrozenClock, SequentialIds, SystemClock, SystemIds, timestamp


def test_a_frozen_clock_moves_when_told() -> None:
    clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(timedelta(seconds=2.5))
    assert clock.now() == datetime(2026, 1, 1, 0, 0, 2, 500_000, tzinfo=UTC)


def test_the_system_clock_knows_its_time_zone() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_ids_are_32_hexadecimal_digits_and_differ() -> None:
    made = [SystemIds().new() for _ in range(100)]
    assert len(set(made)) == 100
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in made)
    assert SequentialIds().new() == "0" * 31 + "1"


def test_a_naive_moment_is_refused_on_the_wire() -> None:
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2026, 1, 1))  # noqa: DTZ001
