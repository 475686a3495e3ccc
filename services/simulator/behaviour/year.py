"""Plays the behavioural world over a period: all lives and attacks, and every event that tells of them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from services.simulator.behaviour.afterwards import Afterwards
from services.simulator.behaviour.assumptions import Assumptions, load_assumptions
from services.simulator.behaviour.attacks import Attacks
from services.simulator.behaviour.collecting import Collector
from services.simulator.behaviour.curves import HORIZON_DAYS
from services.simulator.behaviour.issuing import issuer_processes
from services.simulator.behaviour.lives import Lives
from services.simulator.behaviour.logging_policy import LoggingPolicy
from services.simulator.behaviour.paydays import DAY_SECONDS
from services.simulator.behaviour.population import Period, build_seller
from services.simulator.behaviour.stories import Life, Story
from services.simulator.behaviour.telling import Told, tell


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a world follows from."""

    seed: int
    customers: int
    first_day: date
    days: int

    @property
    def period(self) -> Period:
        """From midnight UTC of the first day on."""
        start = int(datetime(self.first_day.year, self.first_day.month, self.first_day.day, tzinfo=UTC).timestamp())
        return Period(start, start + self.days * DAY_SECONDS)


@dataclass(frozen=True, slots=True)
class Year:
    """What happened. `told` is in the order of arrival."""

    plan: Plan
    assumptions: Assumptions
    lives: list[Life]
    attacks: list[Story]
    told: list[Told]

    @property
    def stories(self) -> list[Story]:
        """Every payment, by customer, then those of attacks."""
        return [story for life in self.lives for story in life.stories] + self.attacks


def play(plan: Plan, assumptions: Assumptions | None = None) -> Year:
    """The world of a plan. Every entity is drawn from its own seed: adding customers changes none that were there."""
    known = assumptions or load_assumptions()
    period = plan.period
    issuers = issuer_processes(plan.seed, known.issuer, period.start, period.end + HORIZON_DAYS * DAY_SECONDS)
    afterwards = Afterwards(known)
    lives = Lives(plan.seed, Collector(known, LoggingPolicy(known.logging), period), afterwards, issuers)
    attacks = Attacks(plan.seed, known, period, afterwards)
    per_merchant = int(known.population.customers_per_merchant)
    sellers = [build_seller(plan.seed, number, known) for number in range(-(-plan.customers // per_merchant))]
    lived, attacked, told = [], [], []
    for number in range(plan.customers):
        life = lives.live(number, sellers[number // per_merchant])
        taken_over = list(attacks.on_customer(number, life))
        lived.append(life)
        attacked += taken_over
        told += tell([*life.stories, *taken_over], plan.seed, number, known.population, period.end)
    for seller in sellers:
        on_seller = list(attacks.on_seller(seller))
        attacked += on_seller
        # Sellers come after any number of customers, so that their events have seeds of their own.
        told += tell(on_seller, plan.seed, (1 << 32) + seller.number, known.population, period.end)
    told.sort(key=lambda event: (event.processed_us, event.event_id))
    return Year(plan, known, lived, attacked, told)
