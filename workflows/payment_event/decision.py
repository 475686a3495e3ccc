"""Decides: an event, the rules it broke and the models' answers in, one PaymentDecision out. A table; pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tidegate.decisions.v1.payment_decision_pb2 import (
    DECISION_ACTION_APPROVE,
    DECISION_ACTION_AUTHENTICATE,
    DECISION_ACTION_BLOCK,
    DECISION_ACTION_DO_NOT_RETRY,
    DECISION_ACTION_RECORD,
    DECISION_ACTION_RETRY,
    DECISION_ACTION_REVIEW,
    DECISION_ACTION_UPDATE_PAYMENT_METHOD,
    DecisionAction,
    DegradedStep,
    PaymentDecision,
    RuleHit,
)
from tidegate.inference.v1.assessment_service_pb2 import Assessment
from tidegate.inference.v1.fraud_service_pb2 import (
    FRAUD_DECISION_ALLOW,
    FRAUD_DECISION_BLOCK,
    FRAUD_DECISION_REVIEW,
    FraudDecision,
)
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_AUTHENTICATE,
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RetryAction,
)
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

SCHEMA_VERSION: Final = 1
BLOCKLIST_RULES: Final = "blocklist."


class Kind(Enum):
    """What a decision on an event can be about."""

    # Money was collected: approve, review or block.
    COLLECTED = "collected"
    # An attempt failed: whether and how to try again.
    FAILED = "failed"
    # The payment can still be stopped, but nothing was collected or failed yet.
    OPEN = "open"
    # It tells how an earlier payment went on: recorded.
    AFTERMATH = "aftermath"


KINDS: Final[Mapping[str, Kind]] = {
    "payment.created": Kind.OPEN,
    "payment.processing": Kind.OPEN,
    "payment.requires_action": Kind.OPEN,
    "payment.authorized": Kind.OPEN,
    "payment.partially_funded": Kind.OPEN,
    "payment.captured": Kind.OPEN,
    "payment.updated": Kind.OPEN,
    "payment.succeeded": Kind.COLLECTED,
    "payment.failed": Kind.FAILED,
    "payment.canceled": Kind.AFTERMATH,
    "payment.expired": Kind.AFTERMATH,
    "payment.refunded": Kind.AFTERMATH,
    "refund.created": Kind.AFTERMATH,
    "refund.updated": Kind.AFTERMATH,
    "refund.failed": Kind.AFTERMATH,
    "dispute.created": Kind.AFTERMATH,
    "dispute.updated": Kind.AFTERMATH,
    "dispute.closed": Kind.AFTERMATH,
    "dispute.funds_withdrawn": Kind.AFTERMATH,
    "dispute.funds_reinstated": Kind.AFTERMATH,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the table looks at."""

    kind: Kind
    blocklisted: bool
    over_limit: bool
    degraded: bool
    fraud: FraudDecision | None
    retry: RetryAction | None


_ALL: Final = frozenset(Kind)
_STOPPABLE: Final = frozenset({Kind.COLLECTED, Kind.FAILED, Kind.OPEN})
_COLLECTED: Final = frozenset({Kind.COLLECTED})
_FAILED: Final = frozenset({Kind.FAILED})

# The first row that fits decides.
_TABLE: Final[Sequence[tuple[frozenset[Kind], Callable[[Facts], bool], DecisionAction]]] = (
    # Whoever is on the blocklist is stopped, whatever a model says.
    (_STOPPABLE, lambda facts: facts.blocklisted, DECISION_ACTION_BLOCK),
    # On a failure the networks and the issuer speak before the merchant's own limits: no review may lead to a retry.
    (_FAILED, lambda facts: facts.retry == RETRY_ACTION_DO_NOT_RETRY, DECISION_ACTION_DO_NOT_RETRY),
    (_FAILED, lambda facts: facts.retry == RETRY_ACTION_UPDATE_PAYMENT_METHOD, DECISION_ACTION_UPDATE_PAYMENT_METHOD),
    (_FAILED, lambda facts: facts.retry == RETRY_ACTION_AUTHENTICATE, DECISION_ACTION_AUTHENTICATE),
    (_COLLECTED, lambda facts: facts.fraud == FRAUD_DECISION_BLOCK, DECISION_ACTION_BLOCK),
    (_STOPPABLE, lambda facts: facts.over_limit, DECISION_ACTION_REVIEW),
    (_COLLECTED, lambda facts: facts.fraud == FRAUD_DECISION_REVIEW, DECISION_ACTION_REVIEW),
    # Nothing is approved or retried on less than the full picture.
    (_COLLECTED, lambda facts: facts.fraud == FRAUD_DECISION_ALLOW and not facts.degraded, DECISION_ACTION_APPROVE),
    (_FAILED, lambda facts: facts.retry == RETRY_ACTION_RETRY and not facts.degraded, DECISION_ACTION_RETRY),
    (_COLLECTED | _FAILED, lambda _: True, DECISION_ACTION_REVIEW),
    (_ALL, lambda _: True, DECISION_ACTION_RECORD),
)


def decide(
    event: UnifiedPaymentEvent,
    rule_hits: Sequence[RuleHit],
    assessment: Assessment,
    degraded_steps: Sequence[DegradedStep],
) -> PaymentDecision:
    """The decision on one event, not yet dated; an empty assessment where no model was asked or none answered."""
    decision = PaymentDecision(
        event_id=event.event_id,
        payment_id=event.payment_id,
        merchant_id=event.merchant_id,
        customer_id=event.customer_id if event.HasField("customer_id") else None,
        provider=event.provider,
        event_type=event.event_type,
        amount_cents=event.amount_cents,
        currency=event.currency,
        action=action_on(_facts(event, rule_hits, assessment, degraded_steps)),
        rule_hits=rule_hits,
        degraded=bool(degraded_steps),
        degraded_steps=degraded_steps,
        receipt_id=event.receipt_id,
        schema_version=SCHEMA_VERSION,
    )
    _take_answers(decision, assessment)
    return decision


def action_on(facts: Facts) -> DecisionAction:
    """What to do, by the first row of the table that fits."""
    return next(action for kinds, fits, action in _TABLE if facts.kind in kinds and fits(facts))


def _facts(
    event: UnifiedPaymentEvent,
    rule_hits: Iterable[RuleHit],
    assessment: Assessment,
    degraded_steps: Sequence[DegradedStep],
) -> Facts:
    blocklisted = [hit.rule_id.startswith(BLOCKLIST_RULES) for hit in rule_hits]
    return Facts(
        # An event type that this version does not know is recorded: the contract closes the list, a deploy may open it.
        kind=KINDS.get(event.event_type, Kind.AFTERMATH),
        blocklisted=any(blocklisted),
        over_limit=not all(blocklisted),
        degraded=bool(degraded_steps),
        fraud=assessment.fraud.decision if assessment.HasField("fraud") else None,
        retry=assessment.retry.action if assessment.HasField("retry") else None,
    )


def _take_answers(decision: PaymentDecision, assessment: Assessment) -> None:
    if assessment.HasField("fraud"):
        decision.fraud.CopyFrom(assessment.fraud)
    if assessment.HasField("retry"):
        decision.retry.CopyFrom(assessment.retry)
    if assessment.HasField("churn"):
        decision.churn.CopyFrom(assessment.churn)
    if assessment.HasField("recovery"):
        decision.recovery.CopyFrom(assessment.recovery)
