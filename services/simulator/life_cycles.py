"""Draws what happens to a payment, from creation to end: steps that change it, and the events that tell of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from services.simulator.ids import StripeIds
from services.simulator.payments import Attempt, Dispute, Payment, Refund
from services.simulator.tables.currencies import minor_units
from services.simulator.tables.declines import DECLINES, FAILED_AUTHENTICATION, RETURNED_DEBIT, Decline
from services.simulator.tables.disputes import DISPUTE_REASONS
from services.simulator.world import Card, Merchant, World

Change = Callable[[Payment, int], Payment]

# Shares of all payments where nothing else is said. Invented, so that a few hundred events show every life cycle.
_GUEST = 0.05
_SUBSCRIPTION = 0.6
_SEPA = 0.3
_AUTHENTICATES = 0.12
_FAILS_AUTHENTICATION = 0.25
_MANUAL_CAPTURE = 0.1
_NEVER_CAPTURED = 0.25
_TRIES_AGAIN = 0.55
_NEXT_TRY_SUCCEEDS = 0.45
_MOST_TRIES = 4
_GIVES_UP = 0.4
_REFUNDED = 0.14
_PARTIALLY = 0.4
_REFUND_FAILS = 0.12
_DISPUTED = 0.1
_DEBIT_RETURNED = 0.15

_REFUND_REASONS = ("requested_by_customer", "requested_by_customer", "duplicate", "fraudulent", None)
_REFUND_FAILURES = ("expired_or_canceled_card", "lost_or_stolen_card", "declined")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: so many events of other payments later, at a moment in seconds since 1970."""

    gap: int
    change: Change
    tells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dice:
    """The seeded sources that a life cycle is drawn from: what happens, and under which ids."""

    rng: Random
    ids: StripeIds

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.rng.random() < share

    def gap(self, least: int, most: int) -> int:
        """How many other events come in between."""
        return self.rng.randint(least, most)


def open_payment(dice: Dice, world: World, at: int) -> Payment:
    """A new payment that has not been tried yet."""
    rng, ids = dice.rng, dice.ids
    merchant, payer = world.draw(rng)
    direct = not merchant.api_version.has_payment_intents
    recurring = merchant.sells_subscriptions and dice.chance(_SUBSCRIPTION)
    return Payment(
        id=ids.new("ch" if direct else "pi"),
        merchant=merchant,
        customer=None if not recurring and dice.chance(_GUEST) else payer,
        card=rng.choice(payer.cards),
        method=_method(dice, merchant, direct=direct),
        amount=minor_units(rng.choice(merchant.prices_usd_cents) * rng.choice((1, 1, 1, 2, 3)), merchant.currency),
        created=at,
        capture_method="manual" if not recurring and not direct and dice.chance(_MANUAL_CAPTURE) else "automatic",
        direct=direct,
        invoice=ids.new("in") if recurring else None,
    )


def draw_steps(dice: Dice, payment: Payment) -> Iterator[Step]:
    """All that happens to the payment, in order. Lazy, and every draw is made here: the changes themselves are pure."""
    if payment.invoice:
        yield Step(0, _nothing_new, ("invoice.created", "invoice.finalized"))
    if not payment.direct:
        yield Step(0, _nothing_new, ("payment_intent.created",))
    if payment.method != "card":
        yield from _debit(dice, payment)
    elif payment.capture_method == "manual":
        yield from _authorised(dice, payment)
    else:
        yield from _by_card(dice, payment)


def _nothing_new(payment: Payment, at: int) -> Payment:
    del at
    return payment


def _method(dice: Dice, merchant: Merchant, *, direct: bool) -> str:
    return "sepa_debit" if merchant.currency.code == "eur" and not direct and dice.chance(_SEPA) else "card"


def _by_card(dice: Dice, payment: Payment) -> Iterator[Step]:
    if payment.invoice is None and not payment.direct and dice.chance(_AUTHENTICATES):
        yield Step(dice.gap(0, 3), lambda was, _: was.waiting(), ("payment_intent.requires_action",))
        if dice.chance(_FAILS_AUTHENTICATION):
            change = _try(dice, payment, FAILED_AUTHENTICATION, reaches_charge=False)
            yield Step(dice.gap(2, 12), change, ("payment_intent.payment_failed",))
    succeeds = dice.rng.randrange(100) < payment.card.issuer.approves_percent
    for number in range(_MOST_TRIES):
        if succeeds:
            yield from _succeeds(dice, payment)
            return
        decline = _draw_decline(dice, payment.card.issuer.brand)
        yield Step(dice.gap(1, 6 + 20 * number), _try(dice, payment, decline), _failed(payment))
        if payment.direct or not dice.chance(_TRIES_AGAIN):
            break
        succeeds = dice.chance(_NEXT_TRY_SUCCEEDS)
    if not payment.direct and dice.chance(_GIVES_UP):
        yield Step(dice.gap(5, 40), lambda was, _: was.canceled("abandoned"), ("payment_intent.canceled",))


def _succeeds(dice: Dice, payment: Payment) -> Iterator[Step]:
    yield Step(dice.gap(0, 5), _try(dice, payment, None), _succeeded(payment))
    if payment.merchant.api_version.captures_later:
        yield Step(dice.gap(0, 3), lambda was, _: was.booked(), ("charge.updated",))
    yield from _afterwards(dice, payment)


def _debit(dice: Dice, payment: Payment) -> Iterator[Step]:
    pending = _try(dice, payment, None, status="pending")
    yield Step(dice.gap(0, 2), pending, ("charge.pending", "payment_intent.processing"))
    if dice.chance(_DEBIT_RETURNED):
        yield Step(dice.gap(10, 40), partial(_answer, status="failed", decline=RETURNED_DEBIT), _failed(payment))
    else:
        yield Step(dice.gap(10, 40), partial(_answer, status="succeeded", decline=None), _succeeded(payment))


def _authorised(dice: Dice, payment: Payment) -> Iterator[Step]:
    yield Step(
        dice.gap(0, 4),
        _try(dice, payment, None, captures=False),
        ("charge.succeeded", "payment_intent.amount_capturable_updated"),
    )
    if dice.chance(_NEVER_CAPTURED):
        yield Step(
            dice.gap(20, 60),
            lambda was, _: was.run_out().canceled("automatic"),
            ("charge.expired", "payment_intent.canceled"),
        )
        return
    yield Step(dice.gap(5, 40), lambda was, _: was.captured(), ("charge.captured", "payment_intent.succeeded"))
    yield from _afterwards(dice, payment)


def _afterwards(dice: Dice, payment: Payment) -> Iterator[Step]:
    if dice.chance(_REFUNDED):
        yield from _refunds(dice, payment)
    elif payment.method == "card" and dice.chance(_DISPUTED):
        yield from _disputes(dice, payment)


def _refunds(dice: Dice, payment: Payment) -> Iterator[Step]:
    step = payment.merchant.currency.step
    part = payment.amount // 3 - payment.amount // 3 % step
    amounts = [part, payment.amount - part] if part > 0 and dice.chance(_PARTIALLY) else [payment.amount]
    if part > 0 and dice.chance(_PARTIALLY):
        amounts = amounts[:1]
    own_events = payment.merchant.api_version.has_refund_events
    for amount in amounts:
        refund = _draw_refund(dice, amount, "pending" if own_events else "succeeded")
        yield Step(
            dice.gap(8, 60),
            partial(_refund, refund=refund),
            ("refund.created", "charge.refunded") if own_events else ("charge.refunded",),
        )
        if own_events and not dice.chance(_REFUND_FAILS):
            yield Step(
                dice.gap(3, 20),
                lambda was, _: was.refund_ended("succeeded"),
                ("refund.updated", "charge.refund.updated"),
            )
    if dice.chance(_REFUND_FAILS):
        failure = dice.rng.choice(_REFUND_FAILURES)
        tells = ("refund.failed", "charge.refund.updated") if own_events else ("charge.refund.updated",)
        yield Step(dice.gap(10, 40), lambda was, _: was.refund_ended("failed", failure), tells)


def _disputes(dice: Dice, payment: Payment) -> Iterator[Step]:
    reason = dice.rng.choices(DISPUTE_REASONS, [row.weight for row in DISPUTE_REASONS])[0]
    opened = Dispute(dice.ids.new("dp"), 0, payment.amount, "needs_response", reason)
    yield Step(
        dice.gap(15, 70),
        lambda was, at: was.disputed(replace(opened, created=at)),
        ("charge.dispute.created", "charge.dispute.funds_withdrawn"),
    )
    yield Step(dice.gap(8, 30), partial(_contest, status="under_review"), ("charge.dispute.updated",))
    if dice.rng.randrange(100) < reason.merchant_wins_percent:
        yield Step(
            dice.gap(8, 30),
            partial(_contest, status="won"),
            ("charge.dispute.closed", "charge.dispute.funds_reinstated"),
        )
    else:
        yield Step(dice.gap(8, 30), partial(_contest, status="lost"), ("charge.dispute.closed",))


def _succeeded(payment: Payment) -> tuple[str, ...]:
    if payment.direct:
        return ("charge.succeeded",)
    return (
        "charge.succeeded",
        "payment_intent.succeeded",
        *(("invoice.paid", "customer.subscription.updated") if payment.invoice else ()),
    )


def _failed(payment: Payment) -> tuple[str, ...]:
    if payment.direct:
        return ("charge.failed",)
    return ("charge.failed", "payment_intent.payment_failed", *(("invoice.payment_failed",) if payment.invoice else ()))


def _try(
    dice: Dice,
    payment: Payment,
    decline: Decline | None,
    *,
    status: str = "",
    captures: bool = True,
    reaches_charge: bool = True,
) -> Change:
    settled = status or ("succeeded" if decline is None else "failed")
    attempt = Attempt(
        charge=_charge_id(dice, payment) if reaches_charge else None,
        created=0,
        card=payment.card,
        status=settled,
        risk_score=_risk_score(dice, decline),
        balance_transaction=dice.ids.new("txn"),
        decline=decline,
        network_advice_code=_advice_code(dice, payment.card, decline),
        captured=payment.amount if captures and settled == "succeeded" else 0,
        booked=not (payment.merchant.api_version.captures_later and captures),
    )
    return lambda was, at: was.tried(replace(attempt, created=at))


def _charge_id(dice: Dice, payment: Payment) -> str:
    if payment.direct:
        return payment.id
    return dice.ids.new("ch" if payment.method == "card" else "py")


def _risk_score(dice: Dice, decline: Decline | None) -> int:
    if decline is not None and decline.outcome == "blocked":
        return dice.rng.randint(76, 99)
    return min(99, int(dice.rng.expovariate(1 / 18)))


def _advice_code(dice: Dice, card: Card, decline: Decline | None) -> str | None:
    codes = () if decline is None or card.issuer.brand != "mastercard" else decline.advice_codes
    return dice.rng.choice(codes) if codes else None


def _answer(payment: Payment, at: int, *, status: str, decline: Decline | None) -> Payment:
    del at
    captured = payment.amount if status == "succeeded" else 0
    return payment.answered(replace(payment.attempts[-1], status=status, decline=decline, captured=captured))


def _draw_decline(dice: Dice, brand: str) -> Decline:
    rows = [row for row in DECLINES if not row.brands or brand in row.brands]
    return dice.rng.choices(rows, [row.weight for row in rows])[0]


def _draw_refund(dice: Dice, amount: int, status: str) -> Refund:
    return Refund(dice.ids.new("re"), 0, amount, status, dice.rng.choice(_REFUND_REASONS), dice.ids.new("txn"))


def _refund(payment: Payment, at: int, *, refund: Refund) -> Payment:
    return payment.refunding(replace(refund, created=at))


def _contest(payment: Payment, at: int, *, status: str) -> Payment:
    del at
    if payment.dispute is None:
        raise ValueError("a dispute is opened before it moves on")
    return payment.disputed(replace(payment.dispute, status=status, submissions=1))
