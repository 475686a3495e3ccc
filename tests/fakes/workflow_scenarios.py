"""Courses that the workflows can take, each with what fails on the way; run live, and recorded for replay."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from tidegate.payments.v1.validation_failure_pb2 import MessageOrigin

from services.orchestrator.rulebook import Rulebook
from services.runtime.clock import SystemClock
from tests.fakes.payments import failed, failure, refunded, succeeded
from tests.fakes.scoring import FakeScoring
from tests.fakes.storage import FakeAttempts, FakeDecisionStore, FakeQuarantine, FakeRules
from workflows.dlq_review import contract as dlq_review
from workflows.dlq_review.activities import DlqReviewActivities
from workflows.errors import (
    AttemptsUnavailableError,
    RulesUnavailableError,
    ScoringRefusedError,
    ScoringUnavailableError,
    StorageUnavailableError,
)
from workflows.payment_event import contract as payment_event
from workflows.payment_event.activities import PaymentEventActivities

ORIGIN = MessageOrigin(topic="payments.normalized", partition=2, offset=17)


@dataclass
class Scenario:
    """An order to a workflow, and its surroundings."""

    workflow: str
    order: Message
    rules: FakeRules = field(default_factory=FakeRules)
    attempts: FakeAttempts = field(default_factory=FakeAttempts)
    scoring: FakeScoring = field(default_factory=FakeScoring)
    store: FakeDecisionStore = field(default_factory=FakeDecisionStore)
    quarantine: FakeQuarantine = field(default_factory=FakeQuarantine)

    @property
    def activities(self) -> Sequence[Callable[..., Any]]:
        """What a worker registers."""
        steps = PaymentEventActivities(self.rules, self.attempts, self.scoring, self.store, SystemClock())
        return [*steps.all, *DlqReviewActivities(self.quarantine).all]


def on_event(event: Any, **surroundings: Any) -> Scenario:
    """PaymentEventWorkflow on an event."""
    order = payment_event.PaymentEventInput(event=event, origin=ORIGIN)
    return Scenario(payment_event.WORKFLOW, order, **surroundings)


def on_failure(**surroundings: Any) -> Scenario:
    """DlqReviewWorkflow on a failure."""
    return Scenario(dlq_review.WORKFLOW, dlq_review.DlqReviewInput(failure=failure()), **surroundings)


def away(error: type[Exception], times: int) -> list[Exception]:
    """A neighbour that is away for some calls."""
    return [error("as told") for _ in range(times)]


SCENARIOS: Mapping[str, Callable[[], Scenario]] = {
    "approved": lambda: on_event(succeeded()),
    "retried": lambda: on_event(failed()),
    "recorded_without_questions": lambda: on_event(refunded()),
    "blocked": lambda: on_event(succeeded(), rules=FakeRules(Rulebook(blocklist={("customer", "cus_ada", "*")}))),
    "rules_back_on_third_try": lambda: on_event(succeeded(), rules=FakeRules(failures=away(RulesUnavailableError, 2))),
    "rules_away": lambda: on_event(succeeded(), rules=FakeRules(failures=away(RulesUnavailableError, 3))),
    "models_away": lambda: on_event(failed(), scoring=FakeScoring(failures=away(ScoringUnavailableError, 9))),
    "attempts_away": lambda: on_event(failed(), attempts=FakeAttempts(failures=away(AttemptsUnavailableError, 9))),
    "models_refuse": lambda: on_event(succeeded(), scoring=FakeScoring(failures=away(ScoringRefusedError, 1))),
    "storage_back_on_second_try": lambda: on_event(
        succeeded(), store=FakeDecisionStore(failures=away(StorageUnavailableError, 1))
    ),
    # Five local attempts, then some of the server's: the last ones wait ten seconds each.
    "storage_away_for_long": lambda: on_event(
        succeeded(), store=FakeDecisionStore(failures=away(StorageUnavailableError, 5 + 8))
    ),
    "storage_refuses": lambda: on_event(succeeded(amount_cents=-1)),
    "failure_kept": on_failure,
    "failure_kept_after_long": lambda: on_failure(
        quarantine=FakeQuarantine(failures=away(StorageUnavailableError, 5 + 4))
    ),
}
