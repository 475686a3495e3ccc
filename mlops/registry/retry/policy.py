"""Chooses when to try a declined payment again: the allowed moment of most expected money, or none."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt

from mlops.registry.retry.inputs import DAY_S, HOUR_S, Situation

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CLOSE_HOURS: Final = 24
_CLOSE_STEP_HOURS: Final = 2
_FAR_STEP_HOURS: Final = 5
"""Hours apart of the moments looked at, and how far the close ones reach. Five hours walk through every hour of the day
in five days."""
_LONGEST_DAYS: Final = 60


class Probability(Protocol):
    """How likely attempts succeed. Nothing is assumed of what it says: not even that it is a number from 0 to 1."""

    def predict(self, rows: Floats) -> Floats:
        """One probability for each row (`inputs.FEATURES`)."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What network, issuer and merchant allow for one payment; seconds since 1970. The policy never leaves them."""

    earliest_s: int
    """No attempt before it."""
    latest_s: int
    """No attempt after it."""
    prohibited: bool
    """No attempt at all."""
    attempts_left: int
    """None once it is 0."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an attempt costs and what waiting does, in the merchant's eyes. Assumptions: put your own."""

    attempt_usd: float = 0.60
    """A processor's fee for a declined authorisation (about 0.10), and what a network charges for an attempt too many
    (Mastercard: 0.50 since 2025-01-01), as the price of a budget and of the issuer's patience."""
    delay_share_a_day: float = 0.005
    """Of the amount, for each day it comes later: money, and a customer served without paying."""
    apart_hours: int = 1
    """Between a decline and the next attempt at least; sooner than this nothing is known of."""
    horizon_days: int = 14
    """From the first attempt on; then the payment is given up."""

    def __post_init__(self) -> None:
        if not (_are_numbers((self.attempt_usd,)) and self.attempt_usd >= 0):
            raise ValueError(f"attempt_usd is {self.attempt_usd!r}; it is a number from 0 on")
        if not (_are_numbers((self.delay_share_a_day,)) and 0 <= self.delay_share_a_day < 1):
            raise ValueError(f"delay_share_a_day is {self.delay_share_a_day!r}; it is a number from 0 to below 1")
        if type(self.apart_hours) is not int or self.apart_hours < 1:
            raise ValueError(f"apart_hours is {self.apart_hours!r}; it is a whole number from 1 on")
        if type(self.horizon_days) is not int or not 1 <= self.horizon_days <= _LONGEST_DAYS:
            raise ValueError(f"horizon_days is {self.horizon_days!r}; it is a whole number from 1 to {_LONGEST_DAYS}")


@dataclass(frozen=True, slots=True)
class Continuation:
    """What is still to be had after another failure, as a share of the amount.

    A table for each number of attempts that are then left, from none on, the last for all beyond: by the best
    probability that there was before the failure (rows) and by the days left to the horizon (columns); straight lines
    between, flat beyond the ends.
    """

    probabilities: tuple[float, ...]
    days: tuple[float, ...]
    shares: tuple[tuple[tuple[float, ...], ...], ...]

    def __post_init__(self) -> None:
        for name, axis in (("probabilities", self.probabilities), ("days", self.days)):
            if not axis or not _are_numbers(axis) or any(one >= other for one, other in pairwise(axis)):
                raise ValueError(f"the outlook's {name} are not ascending numbers")
        if not self.shares:
            raise ValueError("the outlook has no table")
        for left, table in enumerate(self.shares):
            said = f"the outlook's table for {left} attempts left"
            if len(table) != len(self.probabilities) or any(len(row) != len(self.days) for row in table):
                raise ValueError(f"{said} is not of its probabilities by its days")
            if not all(_are_numbers(row) and min(row) >= 0 for row in table):
                raise ValueError(f"{said} has a share that is no number from 0 on")

    def scaled(self, share: float) -> "Continuation":
        """With this share of everything."""
        tables = tuple(tuple(tuple(share * each for each in row) for row in table) for table in self.shares)
        return replace(self, shares=tables)

    def share(self, best: float, days_left: Floats, attempts_left: int) -> Floats:
        """For one best probability, several numbers of days left, and the attempts left after the failure."""
        table = np.asarray(self.shares[min(max(attempts_left, 0), len(self.shares) - 1)])
        place = float(np.interp(best, self.probabilities, np.arange(len(self.probabilities))))
        low = int(place)
        high = min(low + 1, len(table) - 1)
        row = table[low] + (table[high] - table[low]) * (place - low)
        return np.asarray(np.interp(days_left, self.days, row))


def _are_numbers(values: Sequence[object]) -> bool:
    """Of what was read from JSON, which may be anything: NaN is no number, nor is a truth value."""
    return all(
        isinstance(each, int | float) and not isinstance(each, bool) and abs(each) <= sys.float_info.max
        for each in values
    )


NOTHING: Final = Continuation((0.0,), (0.0,), (((0.0,),),))
"""That of a policy which does not look beyond the next attempt."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """When to try again, how likely it succeeds, and what trying then is worth more than giving up."""

    at_s: int
    probability: float
    value_usd: float
    later: float
    """After another failure, what is still to be had: a share of the amount."""
    row: Floats
    """What the model was told of the moment."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Terms and outlook under which moments are compared."""

    terms: Terms
    continuation: Continuation = NOTHING

    def propose(self, model: Probability, situation: Situation, rules: Rules) -> Proposal | None:
        """The best allowed moment; None where there is none, or none that is worth its cost."""
        at_s = moments(situation, rules, self.terms)
        if not len(at_s):
            return None
        rows = situation.rows(at_s)
        probability = model.predict(rows)
        sane = np.clip(np.where(np.isnan(probability), 0.0, probability), 0.0, 1.0)
        later = self._later(situation, at_s, sane, rules.attempts_left)
        value = self._values(situation, at_s, sane, later)
        best = int(np.argmax(value))
        if not value[best] > 0:
            return None
        return Proposal(int(at_s[best]), float(sane[best]), float(value[best]), float(later[best]), rows[best])

    def values(self, situation: Situation, at_s: Ints, probability: Floats, attempts_left: int) -> Floats:
        """What an attempt at each moment is worth, in US dollars: what comes in, now or later, less its cost.

        `attempts_left` counts the one that is looked at. Where the amount's worth is not known, it is taken for one
        dollar and attempts for free.
        """
        return self._values(situation, at_s, probability, self._later(situation, at_s, probability, attempts_left))

    def _values(self, situation: Situation, at_s: Ints, probability: Floats, later: Floats) -> Floats:
        waited_days = (at_s - situation.declined_s) / DAY_S
        kept = 1 - self.terms.delay_share_a_day * waited_days
        share = kept * (probability + (1 - probability) * later)
        amount = situation.amount_usd
        return share if np.isnan(amount) else share * amount - self.terms.attempt_usd

    def _later(self, situation: Situation, at_s: Ints, probability: Floats, attempts_left: int) -> Floats:
        """What is still to be had after a failure at each moment."""
        left_days = self.terms.horizon_days - (at_s - situation.first_s) / DAY_S
        return self.continuation.share(float(probability.max()), left_days, attempts_left - 1)

    def as_json(self) -> dict[str, Any]:
        """What `of_json` takes."""
        return {"terms": asdict(self.terms), "continuation": asdict(self.continuation)}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Self:
        """The policy that `as_json` described; ValueError, KeyError or TypeError where none can be followed."""
        outlook = data["continuation"]
        shares = tuple(tuple(tuple(row) for row in table) for table in outlook["shares"])
        return cls(
            Terms(**data["terms"]), Continuation(tuple(outlook["probabilities"]), tuple(outlook["days"]), shares)
        )


def moments(situation: Situation, rules: Rules, terms: Terms) -> Ints:
    """The moments that are looked at: hours after the decline, all of them within rules and horizon."""
    if rules.prohibited or rules.attempts_left <= 0:
        return np.empty(0, dtype=np.int64)
    first = max(rules.earliest_s, situation.declined_s + terms.apart_hours * HOUR_S)
    last = min(rules.latest_s, situation.first_s + terms.horizon_days * DAY_S)
    if first > last:
        return np.empty(0, dtype=np.int64)
    at_s = situation.declined_s + _hours(terms.horizon_days) * HOUR_S
    inside = at_s[(at_s > first) & (at_s <= last)]
    return np.concatenate([[first], inside])


@cache
def _hours(horizon_days: int) -> Ints:
    """Hours after a decline, ascending."""
    close = np.arange(1, _CLOSE_HOURS, _CLOSE_STEP_HOURS)
    far = np.arange(_CLOSE_HOURS, horizon_days * 24 + 1, _FAR_STEP_HOURS)
    return np.concatenate([close, far]).astype(np.int64)
