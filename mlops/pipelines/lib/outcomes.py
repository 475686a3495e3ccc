"""What became of payments and customers, from events alone: the labels that models learn from. Pure.

As monitoring judges them (mlops/monitoring/performance.py): a fraud is what is disputed as one, a retry succeeds when
the next attempt of the payment does, and who makes no other payment in 45 days has left. Training settles nothing
before the label's delay is over.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_HARD

from mlops.monitoring.performance import DAY_US, LABELS

Row = dict[str, Any]

ABSENCE_US: Final = LABELS["churn"].delay_days * DAY_US
OUTCOME_US: Final = LABELS["retry"].delay_days * DAY_US
ATTEMPTED: Final = ("payment.succeeded", "payment.failed")
SUCCEEDED: Final = ("payment.succeeded", "payment.captured")
# Declines after which no network allows, or no issuer welcomes, another attempt.
FINAL_CLASSES: Final = frozenset({DECLINE_CLASS_HARD})
FINAL_ADVICE: Final = frozenset({"03", "21"})
NO_ADVICE: Final = "do_not_try_again"


class Told(NamedTuple):
    """What one event tells; microseconds since 1970."""

    event_id: str
    event_type: str
    payment_id: str
    merchant_id: str
    customer_id: str | None
    card: str | None
    # The provider's object that is this one attempt; None where the event speaks of the payment as a whole.
    attempt_id: str | None
    # Whether it names an invoice: then the merchant collects, and its further attempts are retries.
    invoiced: bool
    reason: str | None
    failure_code: str | None
    # Whether nobody may try it again.
    final: bool
    occurred_us: int
    arrived_us: int


class Try(NamedTuple):
    """One attempt on a payment."""

    at_us: int
    attempt_id: str
    succeeded: bool
    card: str | None
    failure_code: str | None
    final: bool


class _Asked(NamedTuple):
    event_id: str
    customer: tuple[str, str]
    payment_id: str
    at_us: int


@dataclass
class _Payment:
    merchant_id: str
    customer_id: str | None = None
    invoiced: bool = False
    disputed_us: int | None = None
    tries: dict[str, Try] = field(default_factory=dict)


class Outcomes:
    """Takes events in any order, then says what became of each."""

    def __init__(self, events: Iterable[Told]) -> None:
        self._payments: dict[str, _Payment] = {}
        self._asked: dict[str, _Asked] = {}
        self._paid: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        self._subscribers: set[tuple[str, str]] = set()
        for event in events:
            self._add(event)
        for paid in self._paid.values():
            paid.sort()

    def _add(self, event: Told) -> None:
        payment = self._payments.setdefault(event.payment_id, _Payment(event.merchant_id))
        payment.customer_id = payment.customer_id or event.customer_id
        payment.invoiced |= event.invoiced
        if event.event_type == "dispute.created" and event.reason == "fraudulent":
            payment.disputed_us = min(payment.disputed_us or event.arrived_us, event.arrived_us)
        if event.event_type in ATTEMPTED and event.attempt_id is not None:
            succeeded = event.event_type != "payment.failed"
            payment.tries[event.attempt_id] = Try(
                event.occurred_us, event.attempt_id, succeeded, event.card, event.failure_code, event.final
            )
        if event.customer_id is not None:
            self._add_customer(event, (event.merchant_id, event.customer_id))

    def _add_customer(self, event: Told, customer: tuple[str, str]) -> None:
        if event.invoiced:
            self._subscribers.add(customer)
        if event.event_type in ATTEMPTED:
            self._asked[event.event_id] = _Asked(event.event_id, customer, event.payment_id, event.occurred_us)
        if event.event_type in SUCCEEDED:
            self._paid[customer].append((event.occurred_us, event.payment_id))

    def payments(self) -> Iterator[Row]:
        """Which payments were disputed as fraudulent, and when we heard of it. The rest count as honest."""
        for payment_id, payment in self._payments.items():
            yield {
                "payment_id": payment_id,
                "merchant_id": payment.merchant_id,
                "is_fraud": payment.disputed_us is not None,
                "disputed_at": payment.disputed_us,
            }

    def decisions(self) -> Iterator[Row]:
        """Declines of payments that merchants collect, each with the retry that followed and what came of it.

        Another card says that the customer came in between: what the retry would have brought is not known. When to
        retry was chosen by whoever collects, and with which chance is not known: all count alike.
        """
        for payment_id, payment in self._payments.items():
            if payment.invoiced:
                yield from _decisions(payment_id, payment)

    def absences(self) -> Iterator[Row]:
        """Attempts of known customers, and whether no other payment came in the time after it.

        Younger ones than that time are told too: training leaves alone what is not settled.
        """
        for asked in self._asked.values():
            subscribes = asked.customer in self._subscribers
            yield {"event_id": asked.event_id, "absent": self._absent(asked), "subscribes": subscribes}

    def _absent(self, asked: _Asked) -> bool:
        paid = self._paid.get(asked.customer, [])
        after = bisect_right(paid, asked.at_us, key=lambda each: each[0])
        for at_us, payment_id in paid[after:]:
            if at_us > asked.at_us + ABSENCE_US:
                break
            if payment_id != asked.payment_id:
                return False
        return True


def _decisions(payment_id: str, payment: _Payment) -> Iterator[Row]:
    tries = sorted(payment.tries.values())
    for number, (tried, following) in enumerate(zip(tries, [*tries[1:], None], strict=True), start=1):
        if tried.succeeded:
            continue
        outcome = _outcome(tried, following)
        known = outcome in {"succeeded", "failed"}
        yield {
            "payment_id": payment_id,
            "merchant_id": payment.merchant_id,
            "customer_id": payment.customer_id or payment_id,
            "charge_id": tried.attempt_id,
            "attempt_number": number,
            "decided_at": tried.at_us,
            "failure_code": tried.failure_code,
            "bucket": "stop" if tried.final else None,
            "propensity": 1.0,
            "propensity_hour": 1.0,
            "retry_at": following.at_us if known and following is not None else None,
            "success_probability": None,
            "outcome": outcome,
        }


def _outcome(tried: Try, following: Try | None) -> str:
    if following is None or following.at_us > tried.at_us + OUTCOME_US:
        return "stopped"
    if following.card != tried.card:
        return "overtaken"
    return "succeeded" if following.succeeded else "failed"
