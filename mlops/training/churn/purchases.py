"""Reads a log of customers' purchases, and makes features of it as of a day."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Self

import numpy as np

from mlops.training.dataset import Bools, Floats, Ints

_EPOCH: Final = date(1970, 1, 1)
_MASTER_COLUMNS: Final = 4
_SAMPLE_COLUMNS: Final = 5
_TWO: Final = 2
_HALF_YEAR_DAYS: Final = 180
_FADES_DAYS: Final = (30, 90, 270)
"""In so many days a purchase comes to count for 1/e of what it did in `recent_purchases_*`."""

FEATURES: Final = (
    "days_since_last",
    "days_since_second_last",
    "days_since_third_last",
    "days_known",
    "purchases",
    "purchases_180d",
    "amount_mean",
    "units_mean",
    "gap_mean",
    "gap_longest",
    "wait_to_gap_mean",
    "wait_to_gap_longest",
    *(f"recent_purchases_{days}d" for days in _FADES_DAYS),
    "recent_amount_90d",
)
INCREASING: Final = frozenset(
    {
        "days_since_last",
        "days_since_second_last",
        "days_since_third_last",
        "wait_to_gap_mean",
        "wait_to_gap_longest",
    }
)
"""The longer nobody comes, the likelier nobody will."""
DECREASING: Final = frozenset({"purchases", "purchases_180d", *(f"recent_purchases_{days}d" for days in _FADES_DAYS)})


@dataclass(frozen=True, slots=True)
class Purchases:
    """One row for each customer and day with a purchase, by customer and day."""

    customer: Ints
    day: Ints
    """Since 1970-01-01."""
    units: Ints
    cents: Ints

    @classmethod
    def of(cls, customer: Ints, day: Ints, units: Ints, cents: Ints) -> Self:
        """Sort, and take purchases of one day for one: somebody who buys twice on a day came once."""
        order = np.lexsort((day, customer))
        customer, day, units, cents = customer[order], day[order], units[order], cents[order]
        first = _starts((np.diff(customer) != 0) | (np.diff(day) != 0))
        return cls(customer[first], day[first], np.add.reduceat(units, first), np.add.reduceat(cents, first))

    def where(self, rows: Bools) -> Self:
        """These rows alone."""
        return type(self)(self.customer[rows], self.day[rows], self.units[rows], self.cents[rows])


def _starts(changes: Bools) -> Ints:
    """The first row of each run, of which `changes` says where the next begins."""
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def read(file: Path) -> Purchases:
    """Read CDNOW's log: customer, date, units, dollars; or its sample, which has its own number after the customer's.

    Raises:
        ValueError: a line is something else.
    """
    rows: list[tuple[int, int, int, int]] = []
    for number, line in enumerate(file.read_text(encoding="ascii").splitlines(), start=1):
        fields = line.split()
        if not fields or (number == 1 and not fields[0].isdigit()):
            continue
        if len(fields) not in (_MASTER_COLUMNS, _SAMPLE_COLUMNS):
            raise ValueError(f"{file}, line {number}: customer, date, units and dollars are expected; found {line!r}")
        day, units, dollars = fields[-3:]
        try:
            rows.append((int(fields[0]), day_number(_date(day)), int(units), round(float(dollars) * 100)))
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: {error}") from error
    if not rows:
        raise ValueError(f"{file} holds no purchases")
    customer, days, bought, cents = np.array(rows, dtype=np.int64).T
    return Purchases.of(customer, days, bought, cents)


def _date(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


def day_number(day: date) -> int:
    """Return the day as it is counted here: since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """Return the day of a day's number."""
    return _EPOCH + timedelta(days=int(number))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Customers as they are known when a day begins: nothing of that day or later is in it."""

    customer: Ints
    values: dict[str, Floats]
    cents: Ints
    """Spent so far."""

    @classmethod
    def of(cls, purchases: Purchases, day: int) -> Self:
        """Everybody who bought before the day."""
        past = purchases.where(purchases.day < day)
        first = _starts(np.diff(past.customer) != 0)
        count = np.diff(np.append(first, len(past.customer)))
        last = first + count - 1
        age = (day - past.day).astype(np.float64)
        cents = np.add.reduceat(past.cents, first)
        waited = age[last]
        gaps = np.append(0.0, np.diff(past.day))
        gaps[first] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            gap_mean = np.where(count > 1, np.add.reduceat(gaps, first) / (count - 1), np.nan)
            gap_longest = np.where(count > 1, np.maximum.reduceat(gaps, first), np.nan)
        values = {
            "days_since_last": waited,
            "days_since_second_last": np.where(count > 1, age[np.maximum(last - 1, 0)], np.nan),
            "days_since_third_last": np.where(count > _TWO, age[np.maximum(last - _TWO, 0)], np.nan),
            "days_known": age[first],
            "purchases": count.astype(np.float64),
            "purchases_180d": np.add.reduceat((age <= _HALF_YEAR_DAYS).astype(np.float64), first),
            "amount_mean": cents / count / 100,
            "units_mean": np.add.reduceat(past.units, first) / count,
            "gap_mean": gap_mean,
            "gap_longest": gap_longest,
            "wait_to_gap_mean": waited / gap_mean,
            "wait_to_gap_longest": waited / gap_longest,
        }
        for days in _FADES_DAYS:
            values[f"recent_purchases_{days}d"] = np.add.reduceat(np.exp(-age / days), first)
        values["recent_amount_90d"] = np.add.reduceat(np.exp(-age / 90) * past.cents, first) / 100
        return cls(past.customer[first], values, cents)
