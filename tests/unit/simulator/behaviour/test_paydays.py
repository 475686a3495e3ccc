"""Income comes in its rhythm, on working days, at its local hour."""

from datetime import UTC, datetime, timedelta

import pytest

from services.simulator.behaviour.paydays import paydays

START = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
END = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def days(rhythm: str, anchor: int, offset: float = 0.0) -> list[datetime]:
    return [datetime.fromtimestamp(at, UTC) for at in paydays(rhythm, anchor, START, END, 6.0, offset)]


@pytest.mark.parametrize(("rhythm", "a_year"), [("weekly", 52), ("biweekly", 26), ("semimonthly", 24), ("monthly", 12)])
def test_a_year_has_so_many(rhythm: str, a_year: int) -> None:
    for anchor in (1, 15, 31):
        assert abs(len([day for day in days(rhythm, anchor) if day.year == 2025]) - a_year) <= 1


@pytest.mark.parametrize("rhythm", ["weekly", "biweekly", "semimonthly", "monthly"])
def test_none_falls_on_a_weekend(rhythm: str) -> None:
    assert {day.weekday() for anchor in range(1, 32) for day in days(rhythm, anchor)} <= {0, 1, 2, 3, 4}


def test_a_weekend_is_paid_the_friday_before() -> None:
    # The first of March 2025 was a Saturday.
    assert datetime(2025, 2, 28, 6, tzinfo=UTC) in days("monthly", 1)


def test_a_month_without_the_day_pays_on_its_last() -> None:
    assert datetime(2025, 4, 30, 6, tzinfo=UTC) in days("monthly", 31)


def test_the_hour_is_the_customers() -> None:
    assert days("monthly", 3, offset=9.0)[0] == days("monthly", 3)[0] - timedelta(hours=9)
