"""The steps of PaymentEventWorkflow, over their ports."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity

from workflows.errors import RecordRefusedError
from workflows.payment_event.contract import (
    ASSESS_PAYMENT,
    PERSIST_DECISION,
    VALIDATE_BUSINESS_RULES,
    AssessPaymentInput,
    AssessPaymentResult,
    PersistDecisionInput,
    PersistDecisionResult,
    ValidateBusinessRulesInput,
    ValidateBusinessRulesResult,
)
from workflows.payment_event.ports import AttemptHistory, BusinessRules, Clock, DecisionStore, Scoring
from workflows.payment_event.questions import asks_for_retries, with_attempts
from workflows.storage import Refused


class PaymentEventActivities:
    """Steps as Temporal calls them."""

    def __init__(
        self, rules: BusinessRules, attempts: AttemptHistory, scoring: Scoring, store: DecisionStore, clock: Clock
    ) -> None:
        self._rules = rules
        self._attempts = attempts
        self._scoring = scoring
        self._store = store
        self._clock = clock

    @property
    def all(self) -> Sequence[Callable[..., Any]]:
        """What a worker registers."""
        return [self.validate_business_rules, self.assess_payment, self.persist_decision]

    @activity.defn(name=VALIDATE_BUSINESS_RULES)
    async def validate_business_rules(self, question: ValidateBusinessRulesInput) -> ValidateBusinessRulesResult:
        """Blocklist and merchant limits."""
        (hits,) = await self._rules.check([question.event])
        return ValidateBusinessRulesResult(rule_hits=hits)

    @activity.defn(name=ASSESS_PAYMENT)
    async def assess_payment(self, question: AssessPaymentInput) -> AssessPaymentResult:
        """All models that have something to say about the event, in one call.

        Nobody is asked about a retry without the earlier attempts on the card: where they cannot be read, the step
        fails, and the decision is degraded and recommends none.
        """
        item = question.item
        if asks_for_retries(item):
            (earlier,) = await self._attempts.before([question.event])
            item = with_attempts(item, earlier)
        (assessment,) = await self._scoring.assess([item])
        return AssessPaymentResult(assessment=assessment)

    @activity.defn(name=PERSIST_DECISION)
    async def persist_decision(self, record: PersistDecisionInput) -> PersistDecisionResult:
        """Event, decision and outbox row, in one transaction.

        The decision is dated here: the workflow's own time stands still at its start while local activities run, before
        any model has answered.
        """
        dated = PersistDecisionInput()
        dated.CopyFrom(record)
        dated.decision.decided_at.FromDatetime(self._clock.now())
        (stored,) = await self._store.persist([dated])
        if isinstance(stored, Refused):
            raise RecordRefusedError(stored.reason)
        return stored
