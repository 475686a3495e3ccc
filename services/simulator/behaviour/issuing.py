"""Issuers as processes: outages over the period, how vague they are, how easily they hold a card."""

from bisect import bisect_left
from dataclasses import dataclass
from math import exp

from services.simulator.behaviour.assumptions import IssuerRates
from services.simulator.behaviour.draws import ISSUER, Draws
from services.simulator.behaviour.paydays import DAY_SECONDS
from services.simulator.tables.issuers import ISSUERS, Issuer

# Standard time of an issuer's country; summer time is left out.
_OFFSET_HOURS = {"US": -6.0, "GB": 0.0, "DE": 1.0, "FR": 1.0, "SE": 1.0, "CH": 1.0, "CA": -5.0, "AU": 10.0}
_OFFSET_HOURS |= {"JP": 9.0, "KW": 3.0}
_MONTH_DAYS = 30.4

Outage = tuple[int, int]


@dataclass(frozen=True, slots=True)
class IssuerProcess:
    """One issuer's hidden ways. Outages are ordered pairs of begin and end, seconds since 1970."""

    issuer: Issuer
    offset_hours: float
    trouble: float
    vagueness: float
    batch_hour: int
    outages: tuple[Outage, ...]

    def outages_within(self, start: int, end: int) -> tuple[Outage, ...]:
        """Those that touch a span."""
        first = bisect_left(self.outages, start, key=lambda outage: outage[1])
        last = bisect_left(self.outages, end, key=lambda outage: outage[0])
        return self.outages[first:last]


def offset_hours(country: str) -> float:
    """Hours from UTC to a country's standard time; UTC where the table has none."""
    return _OFFSET_HOURS.get(country, 0.0)


def issuer_processes(seed: int, rates: IssuerRates, start: int, end: int) -> dict[str, IssuerProcess]:
    """Every issuer by name, over a span."""
    return {issuer.name: _process(seed, number, rates, start, end) for number, issuer in enumerate(ISSUERS)}


def _process(seed: int, number: int, rates: IssuerRates, start: int, end: int) -> IssuerProcess:
    draws = Draws(seed, ISSUER, number)
    issuer = ISSUERS[number]
    return IssuerProcess(
        issuer=issuer,
        offset_hours=offset_hours(issuer.country),
        # Divided by its mean, so that spread alone makes no more trouble.
        trouble=exp(draws.normal(0, rates.trouble_spread) - rates.trouble_spread**2 / 2),
        vagueness=draws.between(rates.vague_least, rates.vague_most),
        batch_hour=draws.whole(0, 3),
        outages=tuple(_outages(draws, rates, start, end)),
    )


def _outages(draws: Draws, rates: IssuerRates, start: int, end: int) -> list[Outage]:
    outages = []
    gap = _MONTH_DAYS * DAY_SECONDS / rates.outages_per_month
    at = start + int(draws.exponential(gap))
    while at < end:
        over = at + 600 + int(draws.exponential(rates.outage_hours * 3600))
        outages.append((at, over))
        at = over + int(draws.exponential(gap))
    return outages
