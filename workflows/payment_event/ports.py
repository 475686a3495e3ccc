"""What the steps of PaymentEventWorkflow need from the outside. All take lists: one event asks with a list of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidegate.decisions.v1.payment_decision_pb2 import RuleHit
from tidegate.inference.v1.assessment_service_pb2 import Assessment, AssessmentItem
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from workflows.payment_event.contract import PersistDecisionInput, PersistDecisionResult
from workflows.storage import Refused


class Clock(Protocol):
    """Dates decisions. A caller must not assume that the time never goes back."""

    def now(self) -> datetime:
        """The wall-clock time, UTC."""
        ...


class BusinessRules(Protocol):
    """Checks events against the merchant's rules. A caller must not assume that two calls see the same rules."""

    async def check(self, events: Sequence[UnifiedPaymentEvent]) -> Sequence[Sequence[RuleHit]]:
        """Rules that each event broke, in the order of the events; RulesUnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class EarlierAttempts:
    """When failed attempts were made on one card before an event, oldest first; the event's own is not among them."""

    # For the event's amount and currency.
    same_amount: Sequence[datetime] = ()
    # For any other.
    other_amounts: Sequence[datetime] = ()


class AttemptHistory(Protocol):
    """Knows the failed attempts whose events are stored.

    A caller must not assume that an attempt is known before the workflow of its event has ended.
    """

    async def before(self, events: Sequence[UnifiedPaymentEvent]) -> Sequence[EarlierAttempts]:
        """The attempts before each failed event, in the order of the events; AttemptsUnavailableError."""
        ...


class Scoring(Protocol):
    """Asks the models. A caller must not assume that every question is answered by a model: see each provenance."""

    async def assess(self, items: Sequence[AssessmentItem]) -> Sequence[Assessment]:
        """Answers in the order of the items; ScoringUnavailableError, ScoringRefusedError."""
        ...


class DecisionStore(Protocol):
    """Stores events with their decisions, and queues the decisions for publication, all in one transaction.

    A caller must not assume that a record is absent because a call raised: it may have been stored before the answer
    was lost. Storing again is safe and answers DUPLICATE, with the action that is stored and not the one handed in.
    """

    async def persist(self, records: Sequence[PersistDecisionInput]) -> Sequence[PersistDecisionResult | Refused]:
        """What became of each record, in their order; one refused record does not keep the others out.

        StorageUnavailableError when nothing can be said of any of them.
        """
        ...
