"""The randomised policy under which retries were made: its choices, their chances, and the rules it never breaks.

Rules: codes that are never to be tried again, Visa's category 1, Mastercard's advice codes and Recurly's stop after 7
declines (PROVIDERS' table of network reattempt rules, read 2026-11). What a merchant's API version does not show, the
policy does not know either: its chances depend on nothing that the events do not tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.simulator.behaviour.assumptions import LoggingRates
from services.simulator.behaviour.draws import Draws
from services.simulator.tables.declines import CONFIRM, NEVER

STOP: Final = "stop"
_DAY_HOURS: Final = 24
_VISA_CATEGORY_1: Final = frozenset({"04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"})
_NEVER_MAC: Final = frozenset({"03", "21"})
# Advice that asks for a card or account: a retry with the same card is against it.
_CARD_MAC: Final = frozenset({"01", "04", "40", "41"})
_WAIT_HOURS: Final[Mapping[str, int]] = {
    "02": 72,
    "24": 1,
    "25": 24,
    "26": 48,
    "27": 96,
    "28": 144,
    "29": 192,
    "30": 240,
}
# Not to be tried again by their code alone: Stripe's list, and the fraud codes.
_NEVER_CODES: Final = frozenset({"authentication_required", "incorrect_number", "highest_risk_level"})
# Tried in the last hour of the policy's horizon at the latest.
_LEAST_BUCKET_HOURS: Final = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """What the policy sees of a decline. Codes are None where the merchant's API version does not show them."""

    brand: str
    code: str
    advice: str | None
    network_code: str | None
    network_advice_code: str | None
    attempt_number: int
    hours_since_first: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """Whole hours to wait, both ends included."""

    name: str
    least: int
    most: int
    weight: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and with which chance. A stop has no hours, and the same chance twice."""

    bucket: str
    propensity: float
    wait_hours: int | None
    propensity_hour: float


class LoggingPolicy:
    """Chooses a bucket of hours to wait, or to stop, then an hour of the bucket, uniformly."""

    def __init__(self, rates: LoggingRates) -> None:
        self._rates = rates
        self._buckets = [_bucket(name, weight) for name, weight in rates.weights.items()]

    def choose(self, failure: Failure, draws: Draws) -> Choice:
        """Draws one choice."""
        options = self.options(failure)
        chances = {bucket.name: chance for bucket, chance in options}
        stop = 1 - sum(chances.values())
        name = draws.pick({**chances, STOP: stop}) if chances else STOP
        if name == STOP:
            return Choice(STOP, stop, None, stop)
        bucket = next(bucket for bucket, _ in options if bucket.name == name)
        hours = draws.whole(bucket.least, bucket.most)
        return Choice(name, chances[name], hours, chances[name] / (bucket.most - bucket.least + 1))

    def options(self, failure: Failure) -> Sequence[tuple[Bucket, float]]:
        """Every allowed bucket, cut to the allowed hours, with its chance; what is left to 1 is the chance to stop."""
        if not may_try_again(failure) or failure.attempt_number >= self._rates.most_attempts:
            return ()
        least = max(_LEAST_BUCKET_HOURS, _WAIT_HOURS.get(failure.network_advice_code or "", 0))
        most = int(self._rates.horizon_days * _DAY_HOURS - failure.hours_since_first)
        allowed = [
            Bucket(bucket.name, max(bucket.least, least), min(bucket.most, most), bucket.weight)
            for bucket in self._buckets
            if bucket.least <= most and bucket.most >= least and least <= most
        ]
        stop = self._rates.stops_card_data if failure.advice == CONFIRM else self._rates.stops
        total = sum(bucket.weight for bucket in allowed)
        uniform = self._rates.uniform_share
        return [
            (bucket, (1 - stop) * (uniform / len(allowed) + (1 - uniform) * bucket.weight / total))
            for bucket in allowed
        ]


def _bucket(name: str, weight: float) -> Bucket:
    least, most = name.split("-")
    return Bucket(name, int(least), int(most), weight)


def may_try_again(failure: Failure) -> bool:
    """Whether the networks' and Stripe's rules allow another try of the same card at all."""
    if failure.advice == NEVER or failure.code in _NEVER_CODES:
        return False
    if failure.brand == "visa" and failure.network_code in _VISA_CATEGORY_1:
        return False
    return failure.network_advice_code not in _NEVER_MAC | _CARD_MAC
