"""One customer's life over the period: subscription cycles, purchases by habit, and leaving, by will or by failure."""

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import exp

from services.simulator.behaviour.afterwards import Afterwards
from services.simulator.behaviour.collecting import Collector
from services.simulator.behaviour.draws import CUSTOMER, Draws
from services.simulator.behaviour.issuing import IssuerProcess
from services.simulator.behaviour.paydays import DAY_SECONDS
from services.simulator.behaviour.population import Person, Seller, build_person
from services.simulator.behaviour.stories import Life, Story

_MONTH_SECONDS = 30 * DAY_SECONDS
_EARLY_MONTHS = 3.0
_YEAR_MONTHS = 12


@dataclass(slots=True)
class _Living:
    """Somebody whose life is being drawn."""

    person: Person
    draws: Draws
    life: Life
    # When the last failed payment was, for the month after it.
    troubled_at: int | None = None


# Leavings a month, of somebody at a moment.
_Rate = Callable[[_Living, int], float]


@dataclass(frozen=True, slots=True)
class Lives:
    """Draws lives, each from its own seed."""

    seed: int
    collector: Collector
    afterwards: Afterwards
    issuers: Mapping[str, IssuerProcess]

    def live(self, number: int, seller: Seller) -> Life:
        """The life of one customer."""
        draws = Draws(self.seed, CUSTOMER, number)
        period = self.collector.period
        person = build_person(draws, number, seller, self.issuers, period, self.collector.assumptions)
        life = Life(
            customer=person.customer,
            seller=seller,
            subscribes=seller.subscriptions,
            annual=person.annual,
            joined_at=person.joined_at,
            price_usd_cents=person.price,
            pay_rhythm=person.wallet.rhythm,
        )
        living = _Living(person, draws, life)
        if seller.subscriptions:
            self._subscribed(living)
        else:
            self._shopping(living)
        self.afterwards.follow(life, draws)
        return life

    def _subscribed(self, living: _Living) -> None:
        person, life, period = living.person, living.life, self.collector.period
        since = max(period.start, person.joined_at)
        months = _YEAR_MONTHS if person.annual else 1
        for due in _cycles(person.joined_at, months):
            if due < period.start:
                continue
            if self._lives_on(living, since, min(due, period.end), self._cancel_rate):
                return
            if due >= period.end:
                return
            story = self._cycle(living, due)
            if story.succeeded_at is None:
                # What is still open at the end of the period is not over.
                if story.decisions[-1].outcome == "stopped":
                    life.left_at, life.leaving = story.tries[-1].at, "involuntary"
                return
            since = due

    def _shopping(self, living: _Living) -> None:
        period = self.collector.period
        since = max(period.start, living.person.joined_at)
        self._lives_on(living, since, period.end, lambda *_: self.collector.assumptions.habits.lapses)

    def _lives_on(self, living: _Living, since: int, until: int, rate: _Rate) -> bool:
        """Lives from one moment to another, month by month; True when the customer left of its own will."""
        person, draws, life = living.person, living.draws, living.life
        habits = self.collector.assumptions.habits
        while since < until:
            step = min(until, since + _MONTH_SECONDS)
            share = (step - since) / _MONTH_SECONDS
            life.engagement.append(person.engagement)
            leaves = draws.chance(1 - exp(-rate(living, since) * share))
            end = since + int((step - since) * draws.uniform()) if leaves else step
            self._purchases(living, since, end)
            if leaves:
                life.left_at, life.leaving = end, "voluntary"
                return True
            memory = habits.engagement_memory**share
            noise = draws.normal(0, habits.engagement_noise * share**0.5)
            person.engagement = memory * person.engagement + noise
            since = step
        return False

    def _cancel_rate(self, living: _Living, at: int) -> float:
        habits, person = self.collector.assumptions.habits, living.person
        months = max(0.0, (at - person.joined_at) / _MONTH_SECONDS)
        rate = habits.cancels * (1 + habits.cancels_early * exp(-months / _EARLY_MONTHS))
        rate *= exp(habits.engagement_to_cancels * person.engagement)
        if living.troubled_at is not None and at - living.troubled_at <= _MONTH_SECONDS:
            rate *= exp(habits.failure_to_cancels)
        # An annual plan is left once a year, not month by month.
        return rate / 2 if person.annual else rate

    def _cycle(self, living: _Living, due: int) -> Story:
        person, draws, collector = living.person, living.draws, self.collector
        usd_cents = person.price * (10 if person.annual else 1)
        story = Story(
            id=draws.id("pi"),
            seller=person.seller,
            customer=person.customer,
            kind="cycle",
            created=due,
            amount=person.seller.amount(usd_cents),
            usd_cents=usd_cents,
            invoice=draws.id("in"),
        )
        collector.collect(
            story, person, collector.open_curve(person, due, usd_cents, present=False, draws=draws), draws
        )
        living.life.stories.append(story)
        if story.failed_at_first:
            living.troubled_at = due
            person.engagement += collector.assumptions.habits.failure_to_engagement
        return story

    def _purchases(self, living: _Living, since: int, until: int) -> None:
        person, draws, habits = living.person, living.draws, self.collector.assumptions.habits
        usual = habits.extra_purchases if person.seller.subscriptions else habits.purchases
        rate = usual * person.frequency * exp(habits.engagement_to_purchases * person.engagement)
        days = sorted(draws.uniform() for _ in range(draws.poisson(rate * (until - since) / _MONTH_SECONDS)))
        for share in days:
            at = self._habitual(person, since + int((until - since) * share), draws)
            if since <= at < until:
                living.life.stories.append(self._purchase(person, at, draws))

    def _habitual(self, person: Person, at: int, draws: Draws) -> int:
        hour = (draws.normal(person.hour, self.collector.assumptions.habits.hour_spread) - person.offset_hours) % 24
        return at - at % DAY_SECONDS + int(hour * 3600)

    def _purchase(self, person: Person, at: int, draws: Draws) -> Story:
        usd_cents = int(person.price * exp(draws.normal(0, self.collector.assumptions.habits.price_spread)))
        story = Story(
            id=draws.id("pi"),
            seller=person.seller,
            customer=None if draws.chance(self.collector.assumptions.habits.guests) else person.customer,
            kind="purchase",
            created=at,
            amount=person.seller.amount(usd_cents),
            usd_cents=max(50, usd_cents),
            invoice=None,
        )
        curve = self.collector.open_curve(person, at, story.usd_cents, present=True, draws=draws)
        self.collector.collect_by_hand(story, person, curve, draws)
        return story


def _cycles(joined_at: int, months: int) -> Iterator[int]:
    """Every due moment from joining on: the same day of the month, or its last."""
    first = datetime.fromtimestamp(joined_at, UTC)
    number = 0
    while True:
        year, month = divmod(first.month - 1 + number * months, 12)
        last = monthrange(first.year + year, month + 1)[1]
        due = first.replace(year=first.year + year, month=month + 1, day=min(first.day, last))
        yield int(due.timestamp())
        number += 1
