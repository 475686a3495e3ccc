"""What features are made of: one fact per event about a payment. The only way in from the contracts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE, Provider
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.catalog import Entity


class Outcome(IntEnum):
    """What an event tells about a payment. Stored in states: a number is never given another meaning."""

    # Nothing that features count, such as a payment that was created.
    OTHER = 0
    # Money was collected.
    SUCCEEDED = 1
    # An attempt failed.
    FAILED = 2
    # Money was given back, in part or whole.
    REFUNDED = 3
    # The cardholder contests the payment.
    DISPUTED = 4


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """One event about one payment. The order in which facts arrive is the order of the stream."""

    event_id: str
    merchant_id: str
    customer_id: str | None
    # Identifies the card across customers: the provider's fingerprint of it.
    card_id: str | None
    payment_id: str
    # The provider's object that is this one attempt, such as a charge; None where the event speaks of the payment as a
    # whole, as a PaymentIntent's does. Tells two events about one attempt from two attempts (ADR 0007).
    attempt_id: str | None
    # In the minor unit of `currency`.
    amount_cents: int
    # ISO 4217, upper case.
    currency: str
    outcome: Outcome
    # A number of tidegate.payments.v1.DeclineClass; on failures.
    decline_class: int | None
    # Our own fraud score of the payment, 0 to 1.
    fraud_score: float | None
    # When it happened by the provider's clock, microseconds since 1970, UTC.
    occurred_at_us: int
    # When it came to us by our own clock: no provider's clock can make a state forget.
    arrived_at_us: int


_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "payment.succeeded": Outcome.SUCCEEDED,
    "payment.captured": Outcome.SUCCEEDED,
    "payment.failed": Outcome.FAILED,
    "payment.refunded": Outcome.REFUNDED,
    "refund.created": Outcome.REFUNDED,
    "dispute.created": Outcome.DISPUTED,
}
# Objects that live through several attempts; any other object of a payment is one attempt. As ADR 0007 has it.
_SEVERAL_ATTEMPTS: Final[Mapping["Provider", tuple[str, ...]]] = {PROVIDER_STRIPE: ("pi_",)}


def payment_fact(event: UnifiedPaymentEvent) -> PaymentFact:
    """The fact that a normalised event states."""
    outcome = _OUTCOMES.get(event.event_type, Outcome.OTHER)
    return PaymentFact(
        event_id=event.event_id,
        merchant_id=event.merchant_id,
        customer_id=event.customer_id or None,
        card_id=event.card_fingerprint or None,
        payment_id=event.payment_id,
        attempt_id=attempt_id(event.provider, event.provider_object_id),
        amount_cents=event.amount_cents,
        currency=event.currency,
        outcome=outcome,
        decline_class=event.decline_class or None,
        fraud_score=None,
        occurred_at_us=microseconds(event.provider_created_at),
        arrived_at_us=microseconds(event.processed_at),
    )


def score_fact(decision: PaymentDecision) -> PaymentFact | None:
    """The fact that a fraud score was given, as of the decision; None where the decision has none."""
    if not decision.HasField("fraud"):
        return None
    decided_at_us = microseconds(decision.decided_at)
    return PaymentFact(
        event_id=decision.event_id,
        merchant_id=decision.merchant_id,
        customer_id=decision.customer_id or None,
        card_id=None,
        payment_id=decision.payment_id,
        attempt_id=None,
        amount_cents=decision.amount_cents,
        currency=decision.currency,
        outcome=Outcome.OTHER,
        decline_class=None,
        fraud_score=decision.fraud.fraud_probability,
        occurred_at_us=decided_at_us,
        arrived_at_us=decided_at_us,
    )


def asked_fact(context: PaymentContext, now_us: int) -> PaymentFact:
    """The fact that a prediction is asked about, whether or not the stream has it too; `now_us` by our own clock.

    An asker who names no event is taken to ask about an attempt that nobody has told of.
    """
    failed = context.HasField("decline_class") or context.HasField("failure_code")
    event_type = context.event_type or ("payment.failed" if failed else "payment.succeeded")
    return PaymentFact(
        event_id=context.event_id or f"asked:{context.payment_id}",
        merchant_id=context.merchant_id,
        customer_id=context.customer_id or None,
        card_id=context.card_fingerprint or None,
        payment_id=context.payment_id,
        attempt_id=attempt_id(context.provider, context.provider_object_id),
        amount_cents=context.amount_cents,
        currency=context.currency,
        outcome=_OUTCOMES.get(event_type, Outcome.OTHER),
        decline_class=context.decline_class or None,
        fraud_score=None,
        occurred_at_us=microseconds(context.occurred_at),
        arrived_at_us=now_us,
    )


def attempt_id(provider: "Provider", provider_object_id: str) -> str | None:
    """The object where it is one attempt; None where it lives through several."""
    several = _SEVERAL_ATTEMPTS.get(provider, ())
    return None if not provider_object_id or provider_object_id.startswith(several) else provider_object_id


def entity_keys(fact: PaymentFact) -> Mapping[Entity, str]:
    """The entities that the fact is about, by their keys. All of them belong to the fact's merchant."""
    merchant = _part(fact.merchant_id)
    keys = {Entity.MERCHANT: merchant}
    if fact.customer_id is not None:
        keys[Entity.CUSTOMER] = f"{merchant}|{_part(fact.customer_id)}"
    if fact.card_id is not None:
        keys[Entity.CARD] = f"{merchant}|{_part(fact.card_id)}"
    return keys


def _part(text: str) -> str:
    # Two merchants' keys never meet, whatever ids they give.
    return text.replace("%", "%25").replace("|", "%7C") if "|" in text or "%" in text else text


def microseconds(moment: Timestamp) -> int:
    """Microseconds since 1970; what is finer is cut off."""
    return moment.seconds * 1_000_000 + moment.nanos // 1000
