"""Makes recovery plans: the ladder's retries and what to ask the customer for, by retry action and decline class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.payment_context_pb2 import Reason
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
)
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_INTEGRATION,
    DECLINE_CLASS_TRANSIENT,
)

from services.inference.case import Case, seconds_up
from services.inference.declines import Declines
from services.inference.predictors.rules.provenance import rules_provenance
from services.inference.predictors.rules.retry import Ladder
from services.inference.rules import HOUR_S

NAME = "recovery-rules"
# Of the code; the version of an answer has that of the tables behind it.
VERSION = "1"
_DAY_S = 24 * HOUR_S


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


class RecoveryRules:
    """RecoveryPredictor by the tables above. States no expected amount: rules know none."""

    def __init__(self, declines: Declines, tables_version: str) -> None:
        self._policies = declines.policies
        self._ladder = Ladder(declines)
        self._blank = RecommendPlanResponse(provenance=rules_provenance(NAME, f"{VERSION}+{tables_version}"))

    def plan(
        self, cases: Sequence[Case], strategies: Sequence[RecommendStrategyResponse], at: Timestamp
    ) -> list[RecommendPlanResponse]:
        """One plan for each failed payment."""
        return [self._plan(case, strategy, at) for case, strategy in zip(cases, strategies, strict=True)]

    def _plan(self, case: Case, strategy: RecommendStrategyResponse, at: Timestamp) -> RecommendPlanResponse:
        answer = RecommendPlanResponse()
        answer.CopyFrom(self._blank)
        answer.provenance.predicted_at.CopyFrom(at)
        answer.steps.extend(self._steps(case, strategy))
        answer.reasons.append(_reason(self._policies[case.decline_class].name, strategy))
        answer.reasons.extend(strategy.reasons)
        return answer

    def _steps(self, case: Case, strategy: RecommendStrategyResponse) -> Iterator[RecoveryStep]:
        handed_over = HANDED_OVER.get(case.decline_class)
        if handed_over is not None:
            yield _step(handed_over, case.occurred_s)
            return
        after_s = case.occurred_s
        if strategy.action == RETRY_ACTION_RETRY:
            if case.decline_class not in _SILENT:
                yield _step(_NOTIFIED, case.occurred_s)
            for after_s in self._retries(case, strategy):
                yield _retry(after_s)
        for ask in PLANS[strategy.action]:
            if case.payment.recurring or not ask.recurring_only:
                yield _step(ask, after_s)

    def _retries(self, case: Case, strategy: RecommendStrategyResponse) -> Iterator[int]:
        """The recommended retry and, from there, the rest of the ladder."""
        policy = self._policies[case.decline_class]
        tries = self._ladder.tries(case)
        moment_s = seconds_up(strategy.retry_at)
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


def _reason(decline: str, strategy: RecommendStrategyResponse) -> Reason:
    action = strategy.DESCRIPTOR.fields_by_name["action"].enum_type.values_by_number[strategy.action].name
    return Reason(
        code=f"plan.{decline}",
        description=f"retry answer {action.removeprefix('RETRY_ACTION_').lower()} for decline class {decline}",
    )
