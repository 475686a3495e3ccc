"""The endless stream of events: many payments under way at once, and what else happens at a payment provider."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from itertools import count
from random import Random

import orjson

from services.simulator.bodies.charge import charge
from services.simulator.bodies.dispute import dispute
from services.simulator.bodies.envelope import EventIds, envelope
from services.simulator.bodies.json import JsonObject
from services.simulator.bodies.payment_intent import payment_intent
from services.simulator.bodies.refund import refund
from services.simulator.bodies.uncontracted import attached_payment_method, customer, invoice, payout, subscription
from services.simulator.ids import StripeIds
from services.simulator.life_cycles import Dice, Step, draw_steps, open_payment
from services.simulator.payments import Payment
from services.simulator.tables.currencies import minor_units
from services.simulator.world import Merchant, World

# Share of new stories that are no payment at all.
_NO_PAYMENT = 0.1
_LARGEST_PAYOUT = 5_000_000  # US cents


class Expected(StrEnum):
    """What should become of a posted body."""

    # 202, then a row, a decision and a message on payments.decisions.
    NORMALISED = "normalised"
    # 202, then kept on webhooks.stripe.other.
    OTHER = "other"
    # 202, then webhooks.dlq: it breaks its contract.
    DEAD = "dead"
    # 202, then payments.validation.dlq and quarantine: it breaks a rule of the unified schema.
    VALIDATION_FAILURE = "validation_failure"
    # 401, and nothing is stored.
    UNVERIFIED = "unverified"
    # 413, and nothing is stored.
    TOO_LARGE = "too_large"
    # 202 again, and nothing new comes of it.
    DUPLICATE = "duplicate"
    # 202, then any of the first four: a captured body, of which the simulator knows nothing.
    ACCOUNTED = "accounted"


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the provider sends it. `amount` and `currency` are its object's, in Stripe's minor unit."""

    event_id: str
    type: str
    body: bytes
    expected: Expected
    payment: str | None = None
    amount: int | None = None
    currency: str | None = None
    # None: the platform takes the endpoint's default.
    merchant_id: str | None = None
    # File that a captured body came from.
    file: str | None = None
    # When it arrives, seconds since 1970, where the story says so: the pace of a world that is posted at a speed.
    arrives_at: float | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """When events happen: the n-th one `n * seconds_per_event` after the start (seconds since 1970)."""

    start: int
    seconds_per_event: float

    def at(self, number: int) -> int:
        """Whole seconds since 1970, as Stripe counts time."""
        return self.start + int(number * self.seconds_per_event)


def _last_charge(payment: Payment) -> JsonObject | None:
    return charge(payment, payment.attempts[-1]) if payment.attempts else None


def _last_refund(payment: Payment) -> JsonObject | None:
    return refund(payment, payment.refunds[-1]) if payment.refunds else None


def _its_dispute(payment: Payment) -> JsonObject | None:
    return dispute(payment, payment.dispute) if payment.dispute else None


# What an event carries, by the beginning of its type: the first row that fits. None: the payment has none yet.
_CARRIES: tuple[tuple[str, Callable[[Payment], JsonObject | None], Expected], ...] = (
    ("payment_intent.", payment_intent, Expected.NORMALISED),
    ("charge.dispute.", _its_dispute, Expected.NORMALISED),
    ("charge.refund.", _last_refund, Expected.NORMALISED),
    ("charge.", _last_charge, Expected.NORMALISED),
    ("refund.", _last_refund, Expected.NORMALISED),
    ("invoice.", invoice, Expected.OTHER),
    ("customer.subscription.", subscription, Expected.OTHER),
)


def as_bytes(event: JsonObject) -> bytes:
    """A body as Stripe sends it: indented."""
    return orjson.dumps(event, option=orjson.OPT_INDENT_2)


def generate(world: World, seed: int, run_id: str, timeline: Timeline) -> Iterator[Event]:
    """Events without end. What happens follows from the seed; the ids also from the run: no two runs share one."""
    dice = Dice(Random(f"events:{seed}"), StripeIds(Random(f"ids:{seed}:{run_id}")))
    return _interleave(dice, world, timeline)


@dataclass(slots=True)
class _Story:
    payment: Payment
    steps: Iterator[Step]
    next: Step | None

    def play(self, dice: Dice, at: int) -> list[Event]:
        step = self.next
        if step is None:
            return []
        before, self.payment = self.payment, step.change(self.payment, at)
        self.next = next(self.steps, None)
        return [_event(event_type, self.payment, before, at, dice.ids) for event_type in step.tells]


def _interleave(dice: Dice, world: World, timeline: Timeline) -> Iterator[Event]:
    waiting: list[tuple[int, int, _Story]] = []
    ready: deque[Event] = deque()
    order = count()
    for number in count():
        at = timeline.at(number)
        while not ready:
            if waiting and waiting[0][0] <= number:
                story = heappop(waiting)[2]
            elif dice.chance(_NO_PAYMENT):
                ready.append(_no_payment(dice, world, at))
                continue
            else:
                story = _begin(dice, world, at)
            ready.extend(story.play(dice, at))
            if story.next is not None:
                heappush(waiting, (number + len(ready) + story.next.gap, next(order), story))
        yield ready.popleft()


def _begin(dice: Dice, world: World, at: int) -> _Story:
    payment = open_payment(dice, world, at)
    steps = draw_steps(dice, payment)
    return _Story(payment, steps, next(steps, None))


def _event(event_type: str, payment: Payment, earlier: Payment, at: int, ids: StripeIds) -> Event:
    carries, expected = next((row[1], row[2]) for row in _CARRIES if event_type.startswith(row[0]))
    now = carries(payment)
    if now is None:
        raise ValueError(f"{event_type} tells of an object that the payment does not have")
    return _as_event(_Told(event_type, payment.merchant, now, carries(earlier), payment.id), expected, at, ids)


def _no_payment(dice: Dice, world: World, at: int) -> Event:
    merchant, payer = world.draw(dice.rng)
    event_type = dice.rng.choice(("customer.created", "customer.updated", "payment_method.attached", "payout.paid"))
    if event_type == "payout.paid":
        now = payout(
            merchant, dice.ids.new("po"), minor_units(dice.rng.randrange(_LARGEST_PAYOUT), merchant.currency), at
        )
    elif event_type == "payment_method.attached":
        now = attached_payment_method(payer, at)
    else:
        now = customer(payer, merchant, at)
    return _as_event(_Told(event_type, merchant, now), Expected.OTHER, at, dice.ids)


@dataclass(frozen=True, slots=True)
class _Told:
    type: str
    merchant: Merchant
    now: JsonObject
    before: JsonObject | None = None
    payment: str | None = None


def _as_event(told: _Told, expected: Expected, at: int, ids: StripeIds) -> Event:
    event_ids = EventIds(ids.new("evt"), ids.new("req"), ids.key())
    body = as_bytes(envelope(told.type, told.merchant, told.now, told.before, at, event_ids))
    return Event(
        event_id=event_ids.event,
        type=told.type,
        body=body,
        expected=expected,
        payment=told.payment,
        amount=told.now.get("amount"),
        currency=told.now.get("currency"),
        merchant_id=told.merchant.known_as,
    )
