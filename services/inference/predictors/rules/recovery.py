"""Makes recovery plans: the ladder's retries and what to ask the customer for, by retry action and decline class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_HAND_OVER,
    RECOVERY_STEP_KIND_NOTIFY,
    RECOVERY_STEP_KIND_PAUSE,
    RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION,
    RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD,
    RECOVERY_STEP_KIND_RETRY,
    RecommendPlanResponse,
    RecoveryStep,
    RecoveryStepKind,
)
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_AUTHENTICATE,
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RecommendStrategyResponse,
    RetryAction,
)
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_INTEGRATION,
    DECLINE_CLASS_TRANSIENT,
    DeclineClass,
)

from services.inference.case import Case, seconds_up
from services.inference.declines import Declines
from services.inference.ports import Answers
from services.inference.predictors.rules.provenance import rules_provenance
from services.inference.predictors.rules.retry import Ladder
from services.inference.rules import HOUR_S

NAME = "recovery-rules"
# Of the code; the version of an answer has that of the tables behind it.
VERSION = "1"
_DAY_S = 24 * HOUR_S
_PLANS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Ask:
    """A step at a fixed time after the failure, or after the last retry where there are retries."""

    kind: "RecoveryStepKind"
    after_s: int
    description: str
    recurring_only: bool = False


_ANOTHER_CARD = Ask(RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD, 0, "ask for another card or new card data")
_REMINDER = Ask(RECOVERY_STEP_KIND_NOTIFY, 3 * _DAY_S, "remind the customer")
_PAUSE = Ask(RECOVERY_STEP_KIND_PAUSE, 14 * _DAY_S, "pause the subscription until it is paid", recurring_only=True)

# What follows the failure, by the retry action; steps of RETRY come after the last retry.
PLANS = {
    RETRY_ACTION_RETRY: (
        Ask(RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD, _DAY_S, "retries are used up: ask for another card"),
        Ask(RECOVERY_STEP_KIND_PAUSE, 8 * _DAY_S, "pause the subscription until it is paid", recurring_only=True),
    ),
    RETRY_ACTION_UPDATE_PAYMENT_METHOD: (_ANOTHER_CARD, _REMINDER, _PAUSE),
    RETRY_ACTION_DO_NOT_RETRY: (_ANOTHER_CARD, _REMINDER, _PAUSE),
    RETRY_ACTION_AUTHENTICATE: (
        Ask(RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION, 0, "bring the customer back to authenticate"),
        Ask(RECOVERY_STEP_KIND_NOTIFY, _DAY_S, "remind the customer"),
        Ask(RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD, 3 * _DAY_S, "ask for another card"),
        _PAUSE,
    ),
}
# Classes that a customer cannot mend, or should not be asked to: a person looks first.
HANDED_OVER = {
    DECLINE_CLASS_FRAUD: Ask(RECOVERY_STEP_KIND_HAND_OVER, 0, "suspected fraud: a person decides"),
    DECLINE_CLASS_INTEGRATION: Ask(RECOVERY_STEP_KIND_HAND_OVER, 0, "an error on the merchant's side: mend it first"),
}
# The customer hears of a failure at once unless it is likely to mend itself.
_SILENT = {DECLINE_CLASS_TRANSIENT}
_NOTIFIED = Ask(RECOVERY_STEP_KIND_NOTIFY, 0, "tell the customer that the payment failed and will be tried again")


class Situation(NamedTuple):
    """What a plan depends on, but for the moment of the failure; plans in the same situation are made once."""

    decline_class: "DeclineClass"
    action: "RetryAction"
    recurring: bool
    tries: int
    # The recommended retry, in seconds after the failure; 0 where none is.
    retry_after_s: int


class RecoveryRules:
    """RecoveryPredictor by the tables above. States no expected amount: rules know none."""

    def __init__(self, declines: Declines, tables_version: str) -> None:
        self._policies = declines.policies
        self._ladder = Ladder(declines)
        self._provenance = rules_provenance(NAME, f"{VERSION}+{tables_version}")
        self._plan_in = lru_cache(maxsize=_PLANS_KEPT)(self._make)

    def plan(self, cases: Sequence[Case], answers: Sequence[Answers], at: Timestamp) -> list[RecommendPlanResponse]:
        """One plan for each failed payment."""
        return [self._plan(case, told.retry, at) for case, told in zip(cases, answers, strict=True)]

    def _plan(self, case: Case, strategy: RecommendStrategyResponse, at: Timestamp) -> RecommendPlanResponse:
        answer = RecommendPlanResponse()
        answer.CopyFrom(self._plan_in(self._situation(case, strategy)))
        for step in answer.steps:
            step.not_before.seconds += case.occurred_s
        answer.reasons.extend(strategy.reasons)
        answer.provenance.predicted_at.CopyFrom(at)
        return answer

    def _situation(self, case: Case, strategy: RecommendStrategyResponse) -> Situation:
        retry = strategy.action == RETRY_ACTION_RETRY
        return Situation(
            case.decline_class,
            strategy.action,
            case.payment.recurring,
            self._ladder.tries(case),
            seconds_up(strategy.retry_at) - case.occurred_s if retry else 0,
        )

    def _make(self, situation: Situation) -> RecommendPlanResponse:
        """The plan with times counted from the failure."""
        decline = self._policies[situation.decline_class].name
        answer = RecommendPlanResponse(steps=self._steps(situation), provenance=self._provenance)
        action = RetryAction.Name(situation.action).removeprefix("RETRY_ACTION_").lower()
        description = f"retry answer {action} for decline class {decline}"
        answer.reasons.add(code=f"plan.{decline}", description=description)
        return answer

    def _steps(self, situation: Situation) -> Iterator[RecoveryStep]:
        handed_over = HANDED_OVER.get(situation.decline_class)
        if handed_over is not None:
            yield _step(handed_over, 0)
            return
        after_s = 0
        if situation.action == RETRY_ACTION_RETRY:
            if situation.decline_class not in _SILENT:
                yield _step(_NOTIFIED, 0)
            for after_s in self._retries(situation):
                yield _retry(after_s)
        for ask in PLANS[situation.action]:
            if situation.recurring or not ask.recurring_only:
                yield _step(ask, after_s)

    def _retries(self, situation: Situation) -> Iterator[int]:
        """The recommended retry and, from there, the rest of the ladder."""
        policy = self._policies[situation.decline_class]
        tries = situation.tries
        moment_s = situation.retry_after_s
        yield moment_s
        while (wait_s := self._ladder.wait_s(policy, tries := tries + 1)) is not None:
            moment_s += wait_s
            yield moment_s


def _step(ask: Ask, from_s: int) -> RecoveryStep:
    return RecoveryStep(kind=ask.kind, not_before=Timestamp(seconds=from_s + ask.after_s), description=ask.description)


def _retry(moment_s: int) -> RecoveryStep:
    return RecoveryStep(
        kind=RECOVERY_STEP_KIND_RETRY,
        not_before=Timestamp(seconds=moment_s),
        description="try the payment again, unless it has succeeded",
    )
