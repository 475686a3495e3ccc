"""Puts a run together: which deliveries, how fast, to whom."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from services.runtime.clock import Clock
from services.simulator.client import HttpPoster
from services.simulator.events import Event, Timeline, generate
from services.simulator.ids import StripeIds
from services.simulator.injections import Delivery, Rates, inject
from services.simulator.report import Answered
from services.simulator.schedule import Scheduled, at_fixed_rate, at_own_times
from services.simulator.sender import Redelivery, Sender
from services.simulator.settings import stack_env_file
from services.simulator.world import build_world

# Stripe makes an event a moment before it delivers it.
_DELIVERY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent: it follows from these values and the start alone."""

    seed: int
    # Makes the ids of a run its own; the same run_id gives the same bodies.
    run_id: str
    per_second: float
    rates: Rates = field(default_factory=Rates)
    # How many times faster than the clock a world is posted, in place of the fixed rate.
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post and how to sign."""

    url: str
    secret: str
    timeout_seconds: float = 10.0
    redelivery: Redelivery | None = None


def target_of(
    url: str | None, secret: str | None, timeout_seconds: float = 10.0, redelivery: Redelivery | None = None
) -> Target:
    """Where to post; ValueError that says how to get there when it is not known."""
    if not url or not secret:
        raise ValueError(
            f"No gateway is known: {stack_env_file()} names none. Run `make up`, or set TIDEGATE_GATEWAY_URL and "
            "TIDEGATE_STRIPE_WEBHOOK_SECRET, or give --url and --secret."
        )
    return Target(url, secret, timeout_seconds, redelivery)


def simulated(plan: Plan, start: datetime) -> Iterator[Delivery]:
    """Deliveries without end from the seeded world."""
    timeline = Timeline(int(start.timestamp()) - _DELIVERY_SECONDS, 1 / plan.per_second)
    events = generate(build_world(plan.seed, start.year), plan.seed, plan.run_id, timeline)
    return _injected(plan, events)


def replayed(plan: Plan, events: Iterable[Event]) -> Iterator[Delivery]:
    """Deliveries of given events, with the plan's injections."""
    return _injected(plan, iter(events))


async def post_all(
    deliveries: Iterable[Delivery], plan: Plan, target: Target, clock: Clock, on_answer: Callable[[Answered], None]
) -> list[Answered]:
    """Post them at the plan's rate or speed; returns all answers in order of sending."""
    answers: list[Answered] = []

    def keep(answer: Answered) -> None:
        answers.append(answer)
        on_answer(answer)

    async with HttpPoster(target.url, target.timeout_seconds) as poster:
        sender = Sender(poster, target.secret, clock, target.redelivery)
        await sender.send(_schedule(deliveries, plan), keep)
    return sorted(answers, key=lambda answer: answer.number)


def fresh_ids(run_id: str) -> StripeIds:
    """Ids for captured events."""
    return StripeIds(Random(f"captured:{run_id}"))


def _schedule(deliveries: Iterable[Delivery], plan: Plan) -> Iterator[Scheduled]:
    if plan.speed is not None:
        return at_own_times(deliveries, plan.speed)
    return at_fixed_rate(deliveries, plan.per_second)


def _injected(plan: Plan, events: Iterator[Event]) -> Iterator[Delivery]:
    ids = StripeIds(Random(f"faults:ids:{plan.seed}:{plan.run_id}"))
    return inject(events, plan.rates, Random(f"faults:{plan.seed}"), ids)
