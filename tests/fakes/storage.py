"""Storage in memory: rules, decisions and quarantine, each with failures to raise first."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate.decisions.v1.payment_decision_pb2 import RuleHit
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure
from tidegate.review.v1.payment_event_pb2 import (
    PERSIST_OUTCOME_DUPLICATE,
    PERSIST_OUTCOME_STORED,
    PersistDecisionInput,
    PersistDecisionResult,
    PersistOutcome,
)

from services.orchestrator.rulebook import Rulebook
from workflows.payment_event.attempts import FAILED, earlier_attempts, failed_event
from workflows.payment_event.ports import EarlierAttempts
from workflows.storage import Refused


@dataclass
class FakeRules:
    """BusinessRules from a rulebook in memory."""

    rulebook: Rulebook = field(default_factory=Rulebook)
    failures: list[Exception] = field(default_factory=list)
    calls: int = 0

    async def check(self, events: Sequence[UnifiedPaymentEvent]) -> Sequence[Sequence[RuleHit]]:
        """Rules that each event breaks."""
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return [self.rulebook.broken_by(event) for event in events]


@dataclass
class FakeAttempts:
    """An AttemptHistory over events in memory, of which the failed ones count."""

    events: list[UnifiedPaymentEvent] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    calls: int = 0

    async def before(self, events: Sequence[UnifiedPaymentEvent]) -> Sequence[EarlierAttempts]:
        """The attempts before each event."""
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        known = [failed_event(each) for each in self.events if each.event_type == FAILED]
        return [earlier_attempts(failed_event(event), known) for event in events]


@dataclass
class FakeDecisionStore:
    """A DecisionStore in memory; the first record of an event stays. Like the schema it refuses amounts below zero."""

    failures: list[Exception] = field(default_factory=list)
    records: dict[str, PersistDecisionInput] = field(default_factory=dict)
    outbox: list[str] = field(default_factory=list)
    calls: int = 0

    async def persist(self, records: Sequence[PersistDecisionInput]) -> Sequence[PersistDecisionResult | Refused]:
        """Store all but those refused."""
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return [self._persist(record) for record in records]

    def _persist(self, record: PersistDecisionInput) -> PersistDecisionResult | Refused:
        event_id = record.decision.event_id
        if record.event.amount_cents < 0:
            return Refused("payment_events_amount_cents_check")
        if event_id in self.records:
            return _kept(PERSIST_OUTCOME_DUPLICATE, self.records[event_id])
        self.records[event_id] = record
        self.outbox.append(event_id)
        return _kept(PERSIST_OUTCOME_STORED, record)


def _kept(outcome: PersistOutcome, record: PersistDecisionInput) -> PersistDecisionResult:
    return PersistDecisionResult(outcome=outcome, action=record.decision.action, degraded=record.decision.degraded)


@dataclass
class FakeQuarantine:
    """A Quarantine in memory; the first failure of an event stays."""

    failures: list[Exception] = field(default_factory=list)
    kept: dict[str, ValidationFailure] = field(default_factory=dict)
    calls: int = 0

    async def keep(self, failures: Sequence[ValidationFailure]) -> Sequence[PersistOutcome | Refused]:
        """Keep all."""
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return [self._keep(failure) for failure in failures]

    def _keep(self, failure: ValidationFailure) -> PersistOutcome:
        if failure.event_id in self.kept:
            return PERSIST_OUTCOME_DUPLICATE
        self.kept[failure.event_id] = failure
        return PERSIST_OUTCOME_STORED
