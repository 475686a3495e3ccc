"""What features read off the attempts of a customer or a card. Positions `[start, end)` count in the order of time."""

from bisect import bisect_right
from collections.abc import Sequence
from math import sqrt
from operator import mul
from typing import Final

from mlops.features.attempts import last
from mlops.features.facts import Outcome
from mlops.features.state import NEVER, EventState
from mlops.features.windows import DAY_US, HOUR_US

# A spread below this share of the mean is taken as this: of a subscription, all amounts are alike.
_LEAST_SPREAD: Final = 0.1
_ENOUGH_AMOUNTS: Final = 2
# As they stand in a state's columns: an enumeration's member is five times as slow to look for.
_SUCCEEDED: Final = bytes((Outcome.SUCCEEDED,))
_FAILED: Final = bytes((Outcome.FAILED,))


def starts(state: EventState, at_us: int, *lengths_us: int) -> list[int]:
    """Where each window that ends at a moment begins."""
    return [bisect_right(state.times, at_us - length_us) for length_us in lengths_us]


def failed(state: EventState, start: int, end: int) -> int:
    """How many attempts failed."""
    return state.outcomes.count(_FAILED, start, end)


def declined(state: EventState, decline_class: bytes, start: int, end: int) -> int:
    """How many attempts failed with this kind of decline, a number of DeclineClass as one byte."""
    return state.declines.count(decline_class, start, end)


def share(part: int, whole: int) -> float | None:
    """None of nothing."""
    return part / whole if whole else None


def distinct(column: "Sequence[int]", start: int, end: int) -> int:
    """How many different ones, those not counted of which nothing is known."""
    values = set(column[start:end])
    return len(values) - (0 in values)


def days_since(then_us: int, at_us: int) -> float | None:
    """None where it never was, or not yet."""
    return (at_us - then_us) / DAY_US if NEVER < then_us <= at_us else None


def days_since_last(state: EventState, outcome: Outcome, at_us: int, end: int) -> float | None:
    """Since an attempt last went this way."""
    return days_since(last(state, outcome, end), at_us)


def failures_in_a_row(state: EventState, end: int) -> int:
    """How many attempts have failed since the last success that is remembered."""
    return end - 1 - state.outcomes.rfind(_SUCCEEDED, 0, end)


def hours_since_previous(state: EventState, end: int) -> float | None:
    """From the attempt before the latest to the latest."""
    return (state.times[end - 1] - state.times[end - 2]) / HOUR_US if end > 1 else None


def success_interval_days(state: EventState, start: int, end: int) -> float | None:
    """How far apart successes lie on average."""
    count = state.outcomes.count(_SUCCEEDED, start, end)
    if count <= 1:
        return None
    first = state.outcomes.find(_SUCCEEDED, start, end)
    latest = state.outcomes.rfind(_SUCCEEDED, start, end)
    return (state.times[latest] - state.times[first]) / (count - 1) / DAY_US


def amounts_like_latest(state: EventState, start: int, end: int) -> "Sequence[int]":
    """Amounts of attempts in the currency of the latest one: only these can be compared."""
    if end <= start:
        return ()
    currency, currencies = state.currencies[end - 1], state.currencies[start:end]
    amounts = state.amounts[start:end].tolist()  # a column would make each number anew whenever it is read
    if currencies.count(currency) == len(currencies):
        return amounts
    return [amount for amount, each in zip(amounts, currencies, strict=True) if each == currency]


def mean(amounts: "Sequence[int]") -> float | None:
    """None of nothing."""
    return sum(amounts) / len(amounts) if amounts else None


def zscore(amounts: "Sequence[int]") -> float | None:
    """How many standard deviations the last amount lies above the mean of those before it."""
    count = len(amounts) - 1
    if count < _ENOUGH_AMOUNTS:
        return None
    latest = amounts[-1]
    total = sum(amounts) - latest
    # Integers up to here: no order of addition changes a digit.
    spread = count * (sum(map(mul, amounts, amounts)) - latest * latest) - total * total
    average = total / count
    deviation = max(sqrt(spread / (count * (count - 1))), _LEAST_SPREAD * average)
    return (latest - average) / deviation if deviation else None
