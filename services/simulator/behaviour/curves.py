"""The truth about trying a payment: with which probability an attempt succeeds at any moment, and why it fails if not.

Given a curve, attempts are independent of each other but for the issuer's dislike of many declines in a day. So the
value of any retry policy follows from the curve alone, without replaying what happened.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from math import exp
from typing import Any

from services.simulator.behaviour.draws import Draws
from services.simulator.behaviour.paydays import DAY_SECONDS

_HOUR_SECONDS = 3600
_NIGHT_ENDS = 6
_BATCH_HOURS = 3
_STEEPEST = 60.0
# How far a curve can be asked about, from its first attempt.
HORIZON_DAYS = 35
# Conditions that only another card ends, or the cardholder.
LASTING = frozenset({"block", "stolen", "bad_number", "expired", "not_permitted", "revoked", "authentication"})


@dataclass(frozen=True, slots=True)
class Factors:
    """Chances that an attempt gets past trouble, past the issuer's own judgement, and past the balance."""

    up: float
    willing: float
    funded: float

    @property
    def success(self) -> float:
        """All three."""
        return self.up * self.willing * self.funded


@dataclass(frozen=True, slots=True)
class Curve:
    """What decides every attempt of one payment. Times are seconds since 1970; a `condition` may be empty."""

    opened_at: int
    # The account: headroom over the payment's price, lifted by income, moved by spending (one value a day).
    headroom: float
    lift: float
    fade_days: float
    steepness: float
    paydays: tuple[int, ...]
    spending: tuple[float, ...]
    # The issuer.
    offset_hours: float
    outages: tuple[tuple[int, int], ...]
    outage_failures: float
    batch_hour: int
    batch_failures: float
    background_failures: float
    caution: float
    night_caution: float
    velocity: float
    fatigue: float
    # What holds the payment up, and until when; None: until the card is another one.
    condition: str
    released_at: int | None
    held_success: float
    # When the customer brings another card by itself, and when if asked for one; None: never.
    new_card_unasked_at: int | None
    new_card_asked_at: int | None
    # Whether the customer was asked, under the logging policy.
    asked: bool

    def success_probability(self, at: int, declined_at: Iterable[int] = ()) -> float:
        """The true chance of an attempt at a moment, after declines of this payment at given moments.

        It holds from the first attempt on, for HORIZON_DAYS. From `new_card_at` on it is the chance of the new card.
        """
        return self.factors(at, declined_at).success

    def factors(self, at: int, declined_at: Iterable[int] = ()) -> Factors:
        """The same, in its parts."""
        hour = (at / _HOUR_SECONDS + self.offset_hours) % 24
        return Factors(self._up(at, hour), self._willing(at, hour, declined_at), self._funded(at))

    @property
    def new_card_at(self) -> int | None:
        """When the customer brings another card, as it was asked or not."""
        return self.new_card_asked_at if self.asked else self.new_card_unasked_at

    def is_held(self, at: int) -> bool:
        """Whether the condition still holds the payment up."""
        if not self.condition or (self.released_at is not None and at >= self.released_at):
            return False
        return self.new_card_at is None or at < self.new_card_at

    def _up(self, at: int, hour: float) -> float:
        if any(begin <= at < end for begin, end in self.outages):
            return 1 - self.outage_failures
        in_batch = self.batch_hour <= hour < self.batch_hour + _BATCH_HOURS
        return 1 - (self.batch_failures if in_batch else self.background_failures)

    def _willing(self, at: int, hour: float, declined_at: Iterable[int]) -> float:
        if self.is_held(at):
            return self.held_success
        willing = 1 - self.caution * (self.night_caution if hour < _NIGHT_ENDS else 1.0)
        # A new card has no declines behind it.
        new_card_at = self.new_card_at
        since = new_card_at if new_card_at is not None and new_card_at <= at else 0
        for declined in declined_at:
            if since <= declined < at:
                willing *= 1 - self.fatigue
                willing *= 1 - self.velocity if declined > at - DAY_SECONDS else 1.0
        return willing

    def _funded(self, at: int) -> float:
        paid = bisect_right(self.paydays, at)
        since_days = (at - self.paydays[paid - 1]) / DAY_SECONDS if paid else 1e6
        days = max(0.0, (at - self.opened_at) / DAY_SECONDS)
        whole = min(int(days), len(self.spending) - 2)
        spent = self.spending[whole] + (self.spending[whole + 1] - self.spending[whole]) * min(1.0, days - whole)
        headroom = self.headroom + self.lift * exp(-since_days / self.fade_days) + spent
        return 1 / (1 + exp(min(_STEEPEST, -self.steepness * headroom)))


def failing_cause(curve: Curve, factors: Factors, at: int, draws: Draws) -> str | None:
    """Draws one attempt: None when it succeeds, else what it failed of."""
    point = draws.uniform()
    if point < factors.success:
        return None
    # The rest of the line is shared among the causes as they come one after the other.
    point = (point - factors.success) / (1 - factors.success) * (1 - factors.success)
    if point < 1 - factors.up:
        return "trouble"
    if point < 1 - factors.up * factors.willing:
        return curve.condition if curve.is_held(at) else "caution"
    return "funds"


def recovery(curve: Curve, tries: Sequence[int]) -> float:
    """The true chance that a schedule collects the money, when its tries go on until one succeeds."""
    missed, declined = 1.0, [curve.opened_at]
    for at in tries:
        missed *= 1 - curve.success_probability(at, declined)
        declined.append(at)
    return 1 - missed


CURVE_FIELDS = tuple(field.name for field in fields(Curve))


def curve_of(row: dict[str, Any]) -> Curve:
    """The curve of a row of the labels."""
    values = {name: row[name] for name in CURVE_FIELDS}
    lists = {name: tuple(values[name]) for name in ("paydays", "spending")}
    return Curve(**{**values, **lists, "outages": tuple((begin, end) for begin, end in values["outages"])})
