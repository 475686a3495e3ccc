"""Seeded histories of payments as they arrive: duplicates, attempts told of twice, late events, scores."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from mlops.features.facts import Outcome, PaymentFact
from mlops.features.windows import DAY_US, HOUR_US, SECOND_US

START_US = 1_767_225_600 * SECOND_US
DECLINES = sorted(set(DeclineClass.values()) - {0})


def fact(  # noqa: PLR0913 - an example changes one of many things
    number: int = 1,
    *,
    at_us: int = START_US,
    outcome: Outcome = Outcome.SUCCEEDED,
    payment: str | None = None,
    attempt: str | None = "",
    amount_cents: int = 4900,
    currency: str = "USD",
    customer: str | None = "cus_1",
    card: str | None = "card_1",
    merchant: str = "merchant_lumen",
    decline_class: int | None = None,
    fraud_score: float | None = None,
    arrived_us: int | None = None,
) -> PaymentFact:
    """One fact; its payment and attempt are its own unless said."""
    return PaymentFact(
        event_id=f"stripe:evt_{number}",
        merchant_id=merchant,
        customer_id=customer,
        card_id=card,
        payment_id=payment or f"stripe:pi_{number}",
        attempt_id=f"ch_{number}" if attempt == "" else attempt,
        amount_cents=amount_cents,
        currency=currency,
        outcome=outcome,
        decline_class=decline_class,
        fraud_score=fraud_score,
        occurred_at_us=at_us,
        arrived_at_us=at_us + SECOND_US if arrived_us is None else arrived_us,
    )


def history(seed: int, payments: int = 60, days: int = 130, *, people: int = 4) -> Sequence[PaymentFact]:
    """Facts in the order of arrival."""
    rng = Random(seed)  # noqa: S311
    told = [each for number in range(payments) for each in _payment(rng, number, days, people)]
    arrivals = [(each.occurred_at_us + _delay_us(rng), each) for each in told]
    # Some come twice, the second time with another arrival.
    arrivals += [(at_us + _delay_us(rng), each) for at_us, each in arrivals if rng.random() < 0.15]
    arrivals.sort(key=lambda arrival: arrival[0])
    return [replace(each, arrived_at_us=max(at_us, each.occurred_at_us)) for at_us, each in arrivals]


def _delay_us(rng: Random) -> int:
    late = rng.random()
    if late < 0.75:
        return rng.randrange(5 * SECOND_US)
    return rng.randrange(3 * HOUR_US) if late < 0.9 else rng.randrange(6 * DAY_US)


def _payment(rng: Random, number: int, days: int, people: int) -> Sequence[PaymentFact]:
    # Whole seconds, few enough that some coincide.
    at_us = START_US + rng.randrange(days * 24 * 60) * 60 * SECOND_US
    paid = fact(
        number * 100,
        at_us=at_us,
        payment=f"stripe:pi_{number}",
        amount_cents=rng.choice((0, 999, 1999, 4900, 129_900)),
        currency=rng.choice(("USD", "USD", "EUR", "JPY")),
        customer=rng.choice((None, *(f"cus_{each}" for each in range(people)))),
        card=rng.choice((None, *(f"card_{each}" for each in range(people)))),
        merchant=rng.choice(("merchant_lumen", "merchant_lumen", "acct_2")),
    )
    told: list[PaymentFact] = []
    for attempt in range(rng.choice((0, 0, 1, 3))):
        at_us += rng.choice((2 * SECOND_US, HOUR_US, 3 * DAY_US))
        told += _failure(rng, replace(paid, decline_class=rng.choice(DECLINES)), number * 100 + 10 * attempt, at_us)
    if rng.random() < 0.8:
        told += _success(rng, paid, number * 100 + 90, at_us + rng.choice((SECOND_US, DAY_US)))
    return told


def _failure(rng: Random, paid: PaymentFact, number: int, at_us: int) -> Sequence[PaymentFact]:
    own = replace(
        paid,
        event_id=f"stripe:evt_{number}",
        attempt_id=f"ch_{number}",
        outcome=Outcome.FAILED,
        occurred_at_us=at_us,
    )
    whole = replace(
        own,
        event_id=f"stripe:evt_{number + 1}",
        attempt_id=None,
        card_id=rng.choice((None, own.card_id)),
        occurred_at_us=at_us + rng.choice((-1, 0, 0, 1)) * SECOND_US,
    )
    return rng.choice(((own, whole), (own, whole), (own,), (whole,)))


def _success(rng: Random, paid: PaymentFact, number: int, at_us: int) -> Sequence[PaymentFact]:
    own = replace(
        paid,
        event_id=f"stripe:evt_{number}",
        attempt_id=f"ch_{number}",
        outcome=Outcome.SUCCEEDED,
        occurred_at_us=at_us,
        fraud_score=rng.choice((None, rng.random())),
    )
    whole = replace(own, event_id=f"stripe:evt_{number + 1}", attempt_id=None, card_id=None, fraud_score=None)
    told = [own, whole]
    if rng.random() < 0.3:
        after_us = at_us + rng.randrange(20 * DAY_US)
        outcome = rng.choice((Outcome.REFUNDED, Outcome.DISPUTED))
        told.append(replace(own, event_id=f"stripe:evt_{number + 2}", outcome=outcome, occurred_at_us=after_us))
    return told
