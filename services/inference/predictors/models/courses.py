"""What courses of recovering a payment are worth: probabilities, costs and what a customer is worth who stays. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_RETRY

from mlops.features.currencies import ABOUT_USD_1000
from services.inference.case import Case
from services.inference.ports import Answers
from services.inference.recovery_values import Ranged, RecoveryValues

_USD_CENTS_A_ROW: Final = 100_000
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Course:
    """What may be done at once; what a failure asks for is planned when it comes."""

    code: str
    words: str
    tries: bool = False
    asks: bool = False
    # Only once the first retry has failed.
    asks_after_retry: bool = False


NOTHING: Final = Course("nothing", "doing nothing")
RETRY: Final = Course("retry", "trying again", tries=True)
RETRY_THEN_ASK: Final = Course(
    "retry_then_ask",
    "trying again, and asking the customer if that fails",
    tries=True,
    asks=True,
    asks_after_retry=True,
)
ASK_AND_RETRY: Final = Course("ask_and_retry", "asking the customer, and trying again meanwhile", tries=True, asks=True)
ASK: Final = Course("ask", "asking the customer", asks=True)
COURSES: Final = (NOTHING, RETRY, RETRY_THEN_ASK, ASK_AND_RETRY, ASK)
"""Of equal worth the first is taken: the one that does less."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A failed payment as it is weighed. Money is in the minor unit of its currency, what is expected not whole."""

    amount: int
    fraud: float
    churn: float
    # What a subscriber brings in later who stays, and how much of that is lost with a payment that is never recovered.
    staying: float
    at_stake: float
    # The recommended retry: its chance and its day from the failure, and what the model's policy counts on after it, a
    # cautious share that is taken for the chance of later ones; 0 where none is.
    first: float
    later: float
    wait_days: float
    # Shares of customers who bring another card when asked; None where asking makes no sense. Of those, the share that
    # does so unasked.
    brings: Ranged | None
    unasked: float
    # Costs: of an attempt, of asking (with those who leave for it), of a dispute, of a person's look.
    attempt: float
    ask: float
    dispute: float
    look: float
    # Of the amount, a day.
    delay: float

    @classmethod
    def of(cls, case: Case, told: Answers, values: RecoveryValues) -> Self:
        """From what the models say. Costs are left out where the currency's worth is not known."""
        cent = ABOUT_USD_1000.get(case.payment.currency, 0) / _USD_CENTS_A_ROW
        amount = case.payment.amount_cents
        subscriber = is_subscriber(case)
        churn = told.churn.churn_probability if subscriber else 0.0
        staying = values.payments_to_come.value * values.margin.value * amount if subscriber else 0.0
        expected = staying * (1 - churn)
        retry = told.retry
        tries = retry.action == RETRY_ACTION_RETRY
        first, in_the_end = (retry.success_probability, retry.recovery_probability) if tries else (0.0, 0.0)
        return cls(
            amount=amount,
            fraud=told.fraud.fraud_probability,
            churn=churn,
            staying=staying,
            at_stake=expected * values.leaves_if_unpaid.value,
            first=first,
            later=max(0.0, in_the_end - first) / (1 - first) if first < 1 else 0.0,
            wait_days=max(0, retry.retry_at.seconds - case.occurred_s) / _DAY_S if tries else 0.0,
            brings=values.brings_card.get(case.decline_class),
            unasked=values.comes_unasked.value,
            attempt=values.attempt_usd_cents.value * cent,
            ask=values.message_usd_cents.value * cent + expected * values.leaves_if_asked.value,
            dispute=values.dispute_usd_cents.value * cent,
            look=values.look_usd_cents.value * cent,
            delay=values.delay_share_a_day.value,
        )

    @property
    def gain(self) -> float:
        """What comes of recovering it: the money and the customer; of a fraud a dispute, and the money goes back."""
        return (1 - self.fraud) * (self.amount + self.at_stake) - self.fraud * self.dispute


def is_subscriber(case: Case) -> bool:
    """Whether there is a known customer whose payments go on."""
    return case.payment.recurring and bool(case.payment.customer_id)


@dataclass(frozen=True, slots=True)
class View:
    """One way in which what is not known well may be."""

    retries_hold: float
    later_retry_days: float
    brings: float
    brings_card_days: float


def views(payment: Payment, values: RecoveryValues) -> Sequence[View]:
    """The values as they are, and retries and customers better or worse than that, each with each."""
    hold, later, days = values.retries_hold, values.later_retry_days, values.brings_card_days
    retries = ((hold.low, later.high), (hold.high, later.low))
    brings = payment.brings
    if brings is None:
        return [View(*retry, 0.0, days.value) for retry in ((hold.value, later.value), *retries)]
    customers = ((brings.low, days.high), (brings.high, days.low))
    return (
        View(hold.value, later.value, brings.value, days.value),
        *(View(*retry, *customer) for retry in retries for customer in customers),
    )


def chance_and_worth(payment: Payment, view: View, course: Course) -> tuple[float, float]:
    """How likely a course recovers the payment, and what it is worth, less its costs."""
    first = payment.first * view.retries_hold if course.tries else 0.0
    later = payment.later * view.retries_hold if course.tries else 0.0
    brings = view.brings if course.asks else view.brings * payment.unasked
    at_once = brings if course.asks and not course.asks_after_retry else 0.0
    by_later = (1 - first) * later
    recovered = 1 - (1 - first) * (1 - later) * (1 - brings)
    by_customer = recovered - first - by_later
    asked_day = payment.wait_days if course.asks_after_retry else 0.0
    days = (
        first * payment.wait_days
        + by_later * (payment.wait_days + view.later_retry_days)
        + by_customer * (asked_day + view.brings_card_days)
    )
    # Who brings a card spares about half of the attempts; later ones go on until one succeeds.
    attempts = (1 - at_once / 2) + (1 - first) * (later / first) * (1 - brings / 2) if first > 0 else 0.0
    asked = (1 - first if course.asks_after_retry else 1.0) if course.asks else 0.0
    costs = payment.delay * payment.amount * days + attempts * payment.attempt + asked * payment.ask
    return recovered, recovered * payment.gain - costs


@dataclass(frozen=True, slots=True)
class Weighed:
    """The best course, how likely it recovers the payment, and what it is worth above other ones."""

    best: Course
    recovered: float
    above_nothing: float
    next_best: Course
    above_next: float
    # What a person's look is worth above deciding now; the look is asked for where it is above 0.
    look_worth: float
    offer_worth: float


def weighed(payment: Payment, values: RecoveryValues) -> Weighed:
    """Compare the courses in every view: on average the best, and what it would be worth to know the right view."""
    possible = [
        course
        for course in COURSES
        if (payment.first > 0 or not course.tries) and (payment.brings is not None or not course.asks)
    ]
    seen = views(payment, values)
    worths = {course.code: [chance_and_worth(payment, view, course)[1] for view in seen] for course in possible}
    means = {code: sum(each) / len(seen) for code, each in worths.items()}
    ranked = sorted(possible, key=lambda course: -means[course.code])
    best, next_best = ranked[0], ranked[min(1, len(ranked) - 1)]
    knowing = sum(max(each) for each in zip(*worths.values(), strict=True)) / len(seen) - means[best.code]
    recovered = chance_and_worth(payment, seen[0], best)[0]
    kept = payment.staying * payment.churn * values.stays_if_offered.value
    return Weighed(
        best=best,
        recovered=recovered,
        above_nothing=means[best.code] - means[NOTHING.code],
        next_best=next_best,
        above_next=means[best.code] - means[next_best.code],
        look_worth=values.look_settles.value * knowing - payment.look,
        offer_worth=recovered * (kept - values.offer_share.value * payment.amount),
    )
