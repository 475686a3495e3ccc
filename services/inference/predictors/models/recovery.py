"""Plans the recovery of a failed payment by expected value, of what models say of it; by rules where models do not."""

from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.fraud_service_pb2 import FRAUD_DECISION_BLOCK
from tidegate.inference.v1.payment_context_pb2 import FallbackCause, ModelVersion, Provenance, Reason
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_HAND_OVER,
    RECOVERY_STEP_KIND_OFFER,
    RECOVERY_STEP_KIND_PAUSE,
    RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION,
    RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD,
    RECOVERY_STEP_KIND_RETRY,
    RecommendPlanResponse,
    RecoveryStep,
    RecoveryStepKind,
)
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_AUTHENTICATION

from services.inference.case import Case
from services.inference.ports import Answers, RecoveryPredictor
from services.inference.predictors.models.courses import Payment, Weighed, is_subscriber, weighed
from services.inference.predictors.rules.recovery import HANDED_OVER
from services.inference.recovery_values import RecoveryValues
from services.inference.rules import HOUR_S

NAME: Final = "recovery-values"
# Of the code; the version of an answer has that of the values behind it.
VERSION: Final = "1"

_DAY_S: Final = 24 * HOUR_S
_FRAUD: Final = "it is as good as certain to be fraud: nothing is to be recovered"
_RISKY: Final = "fraud is too likely to collect by a machine: a person decides"
_NOT_WORTH_A_LOOK: Final = "fraud is too likely to collect by a machine, and the amount is not worth a person's look"
_CLOSE: Final = "what is best depends on what is not known well, and knowing is worth a person's look"
_NOTHING: Final = "nothing that helps is worth what it costs"


class RecoveryByValue:
    """RecoveryPredictor that picks the course of most expected value, and hands over where it cannot tell."""

    def __init__(self, values: RecoveryValues, rules: RecoveryPredictor) -> None:
        self._values = values
        self._rules = rules
        self._version = f"{VERSION}+{values.version}"

    def plan(self, cases: Sequence[Case], answers: Sequence[Answers], at: Timestamp) -> list[RecommendPlanResponse]:
        """One plan for each failed payment."""
        return [self._plan(case, told, at) for case, told in zip(cases, answers, strict=True)]

    def _plan(self, case: Case, told: Answers, at: Timestamp) -> RecommendPlanResponse:
        used = _used(case, told)
        plan = self._empty([each for each in used if not each.fallback], at)
        handed_over = HANDED_OVER.get(case.decline_class)
        if handed_over is not None:
            _hand_over(plan, case, "recovery.handed_over", handed_over.description)
        elif not told.fraud.provenance.fallback and self._is_risky(told):
            # Before anything else is looked at: rules know of no fraud, and would go on to collect.
            self._leave_to_a_person(plan, case, told)
        elif missing := [each.fallback_cause for each in used if each.fallback]:
            return self._by_rules(case, told, plan, missing[0])
        else:
            self._by_value(plan, case, told)
        return plan

    def _empty(self, based_on: Sequence[Provenance], at: Timestamp) -> RecommendPlanResponse:
        versions = [
            ModelVersion(name=each.model_name, version=each.model_version, alias=each.model_alias) for each in based_on
        ]
        made_by = Provenance(model_name=NAME, model_version=self._version, based_on=versions, predicted_at=at)
        return RecommendPlanResponse(provenance=made_by)

    def _is_risky(self, told: Answers) -> bool:
        return (
            told.fraud.decision == FRAUD_DECISION_BLOCK or told.fraud.fraud_probability >= self._values.risky_from.value
        )

    def _leave_to_a_person(self, plan: RecommendPlanResponse, case: Case, told: Answers) -> None:
        """Where there is anything to find out that is worth a person's look."""
        if told.fraud.decision == FRAUD_DECISION_BLOCK:
            plan.reasons.add(code="recovery.fraud", description=_FRAUD)
        elif Payment.of(case, told, self._values).look > case.payment.amount_cents:
            plan.reasons.add(code="recovery.fraud_likely", description=_NOT_WORTH_A_LOOK)
        else:
            _hand_over(plan, case, "recovery.fraud_likely", _RISKY)

    def _by_value(self, plan: RecommendPlanResponse, case: Case, told: Answers) -> None:
        payment = Payment.of(case, told, self._values)
        found = weighed(payment, self._values)
        plan.reasons.extend(_reasons(payment, found))
        if found.look_worth > 0:
            plan.reasons.insert(0, Reason(code="recovery.undecided", description=_CLOSE, contribution=found.look_worth))
            plan.steps.append(_step(RECOVERY_STEP_KIND_HAND_OVER, case.occurred_s, _CLOSE))
            return
        plan.expected_recovered_cents = max(0, round(payment.amount * found.recovered * (1 - payment.fraud)))
        plan.steps.extend(self._steps(case, told, payment, found))
        if not plan.steps:
            plan.reasons.insert(0, Reason(code="recovery.not_worth_it", description=_NOTHING))

    def _steps(self, case: Case, told: Answers, payment: Payment, found: Weighed) -> list[RecoveryStep]:
        steps = []
        asked_s = case.occurred_s
        if found.best.tries:
            retry_s = told.retry.retry_at.seconds
            chance = f"succeeds with {payment.first:.0%}; a failure is planned for anew"
            steps.append(_step(RECOVERY_STEP_KIND_RETRY, retry_s, f"try again: {chance}"))
            asked_s = retry_s + HOUR_S if found.best.asks_after_retry else asked_s
        if found.best.asks:
            steps.append(_step(_asked_for(case), asked_s, "ask the customer, unless it is paid by then"))
            if found.offer_worth > 0:
                description = f"the customer leaves with {payment.churn:.0%}: make an offer along with it"
                steps.append(_step(RECOVERY_STEP_KIND_OFFER, asked_s, description))
        if case.payment.recurring:
            paused_s = case.occurred_s + round(self._values.pause_after_days.value) * _DAY_S
            steps.append(_step(RECOVERY_STEP_KIND_PAUSE, paused_s, "pause the subscription until it is paid"))
        return sorted(steps, key=lambda step: step.not_before.seconds)

    def _by_rules(
        self, case: Case, told: Answers, empty: RecommendPlanResponse, cause: "FallbackCause"
    ) -> RecommendPlanResponse:
        """The rules' plan, which may begin with a model's retry: what it is based on is told all the same."""
        (plan,) = self._rules.plan([case], [told], empty.provenance.predicted_at)
        plan.provenance.fallback_cause = cause
        plan.provenance.based_on.extend(empty.provenance.based_on)
        return plan


def _used(case: Case, told: Answers) -> Sequence[Provenance]:
    """The answers that a plan stands on: whether a customer leaves matters of subscribers alone."""
    used = [told.retry.provenance, told.fraud.provenance]
    return [*used, told.churn.provenance] if is_subscriber(case) else used


def _reasons(payment: Payment, found: Weighed) -> list[Reason]:
    """Why, with what each is worth in the currency's minor unit; of probabilities, how likely."""
    reasons = [
        _worth("best", f"{found.best.words} is worth most: above doing nothing", payment, found.above_nothing),
        _worth("next_best", f"next best is {found.next_best.words}: worth less", payment, found.above_next),
    ]
    if payment.first > 0:
        chances = (
            f"a retry at its best moment succeeds with {payment.first:.0%}, those after it with {payment.later:.0%}"
        )
        reasons.append(Reason(code="recovery.retries", description=chances, contribution=payment.first))
    if payment.brings is not None:
        brings = f"of customers who are asked {payment.brings.value:.0%} bring a card that pays"
        reasons.append(Reason(code="recovery.customers", description=brings, contribution=payment.brings.value))
    fraud = f"it is fraud with {payment.fraud:.1%}"
    reasons.append(Reason(code="recovery.fraud_risk", description=fraud, contribution=payment.fraud))
    if payment.staying > 0:
        churn = f"the customer leaves with {payment.churn:.0%}"
        reasons.append(Reason(code="recovery.churn_risk", description=churn, contribution=payment.churn))
    return reasons


def _worth(code: str, words: str, payment: Payment, worth: float) -> Reason:
    share = f" by {worth / payment.amount:.0%} of the amount" if payment.amount else ""
    return Reason(code=f"recovery.{code}", description=words + share, contribution=worth)


def _hand_over(plan: RecommendPlanResponse, case: Case, code: str, why: str) -> None:
    plan.reasons.add(code=code, description=why)
    plan.steps.append(_step(RECOVERY_STEP_KIND_HAND_OVER, case.occurred_s, why))


def _asked_for(case: Case) -> "RecoveryStepKind":
    authenticate = case.decline_class == DECLINE_CLASS_AUTHENTICATION
    return RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION if authenticate else RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD


def _step(kind: "RecoveryStepKind", at_s: int, description: str) -> RecoveryStep:
    return RecoveryStep(kind=kind, not_before=Timestamp(seconds=at_s), description=description)
