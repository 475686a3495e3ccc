"""Messages that state given facts, as the normalizer and the orchestrator would publish them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import DECISION_ACTION_APPROVE, PaymentDecision
from tidegate.inference.v1.fraud_service_pb2 import FRAUD_DECISION_ALLOW, ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import Provenance
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import (
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_SUCCEEDED,
    UnifiedPaymentEvent,
)

from mlops.features.facts import Outcome, PaymentFact, score_fact
from tests.fakes.payments import RECEIPT, succeeded

_TYPES: Final = {
    Outcome.OTHER: "payment.created",
    Outcome.SUCCEEDED: "payment.succeeded",
    Outcome.FAILED: "payment.failed",
    Outcome.REFUNDED: "refund.created",
    Outcome.DISPUTED: "dispute.created",
}
_DECIDED_AFTER_US: Final = 100_000


def as_published(facts: Sequence[PaymentFact]) -> Iterator[PaymentFact]:
    """The same facts without scores, each score as a fact of its own that comes next."""
    for fact in facts:
        yield replace(fact, fraud_score=None)
        if fact.fraud_score is not None:
            told = score_fact(decision(fact))
            assert told is not None
            yield told


def message(fact: PaymentFact) -> UnifiedPaymentEvent | PaymentDecision:
    """What states the fact on Kafka."""
    return event(fact) if fact.fraud_score is None else decision(fact, decided_after_us=0)


def event(fact: PaymentFact) -> UnifiedPaymentEvent:
    """The normalised event of which this is the fact."""
    failed = fact.outcome is Outcome.FAILED
    return succeeded(
        event_id=fact.event_id,
        provider_event_id=fact.event_id.removeprefix("stripe:"),
        event_type=_TYPES[fact.outcome],
        status=PAYMENT_STATUS_FAILED if failed else PAYMENT_STATUS_SUCCEEDED,
        failure_code="card_declined" if failed else None,
        decline_class=fact.decline_class,
        merchant_id=fact.merchant_id,
        customer_id=fact.customer_id,
        card_fingerprint=fact.card_id,
        payment_id=fact.payment_id,
        provider_object_id=fact.attempt_id or fact.payment_id.removeprefix("stripe:"),
        amount_cents=fact.amount_cents,
        currency=fact.currency,
        provider_created_at=_moment(fact.occurred_at_us),
        processed_at=_moment(fact.arrived_at_us),
    )


def decision(fact: PaymentFact, decided_after_us: int = _DECIDED_AFTER_US) -> PaymentDecision:
    """The decision that gave the fact's score, shortly after it arrived."""
    score = fact.fraud_score or 0.0
    decided_at = _moment(fact.arrived_at_us + decided_after_us)
    return PaymentDecision(
        event_id=fact.event_id,
        payment_id=fact.payment_id,
        merchant_id=fact.merchant_id,
        customer_id=fact.customer_id,
        provider=PROVIDER_STRIPE,
        event_type="payment.succeeded",
        amount_cents=fact.amount_cents,
        currency=fact.currency,
        action=DECISION_ACTION_APPROVE,
        fraud=ScoreResponse(
            fraud_probability=score,
            decision=FRAUD_DECISION_ALLOW,
            provenance=Provenance(model_name="fraud-rules", model_version="1", predicted_at=decided_at),
        ),
        decided_at=decided_at,
        receipt_id=RECEIPT,
        schema_version=1,
    )


def _moment(at_us: int) -> Timestamp:
    seconds, micros = divmod(at_us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=micros * 1000)
