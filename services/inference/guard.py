"""The last step of every retry answer: holds it inside the card networks' rules, whatever a predictor says."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from tidegate.inference.v1.payment_context_pb2 import Reason
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_RETRY,
    RecommendPlanResponse,
    RecoveryStep,
)
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_RETRY,
    RecommendStrategyResponse,
)

from services.inference.case import Case, seconds_down, seconds_up
from services.inference.rules import BudgetRule, Prohibition


class Bound(NamedTuple):
    """The first second at which another attempt is allowed, and the rule that says so."""

    earliest_s: int
    rule: str
    description: str


class NetworkGuard:
    """Enforces prohibitions, waits and budgets on answers, in place.

    A retry that comes too early is moved to the first second that every rule allows; one that is forbidden, or would
    have to wait longer than the case's limit, is taken back.
    """

    def enforce(self, answer: RecommendStrategyResponse, case: Case) -> None:
        """Hold a retry strategy inside the rules and state the budget and the rule that bounds it."""
        answer.network_rule = ""
        if answer.action != RETRY_ACTION_RETRY:
            answer.ClearField("retry_at")
            _unsay_chances(answer)
        elif case.prohibition is None:
            self._bound(answer, case)
        else:
            _take_back(answer, case.prohibition)
        if case.prohibition is not None:
            answer.network_rule = case.prohibition.name
        _state_budget(answer, case)

    def enforce_plan(self, plan: RecommendPlanResponse, case: Case) -> None:
        """Hold every retry of a plan inside the rules, each counted against the budget of those after it."""
        attempts = Attempts.of(case)
        steps = list(plan.steps)
        taken_back = [
            index
            for index, step in enumerate(steps)
            if step.kind == RECOVERY_STEP_KIND_RETRY and not self._allowed(step, case, attempts)
        ]
        for index in reversed(taken_back):
            del plan.steps[index]
        moments = [_moment(step) for step in steps]
        if moments != sorted(moments):  # half as dear as to sort what is in order
            plan.steps.sort(key=_moment)

    def _bound(self, answer: RecommendStrategyResponse, case: Case) -> None:
        bound = earliest_retry(case, Attempts.of(case))
        if bound.earliest_s - case.occurred_s > case.limits.longest_wait_s:
            _take_back(answer, _exhausted(bound))
        elif seconds_down(answer.retry_at) < bound.earliest_s:
            answer.retry_at.seconds, answer.retry_at.nanos = bound.earliest_s, 0
            _unsay_chances(answer)  # they were stated for another moment
            answer.network_rule = bound.rule
            answer.reasons.append(Reason(code=bound.rule, description=bound.description))

    def _allowed(self, step: RecoveryStep, case: Case, attempts: "Attempts") -> bool:
        """Whether a retry may stay; it is moved where the rules want it and added to the attempts."""
        if case.prohibition is not None:
            return False
        bound = earliest_retry(case, attempts)
        if bound.earliest_s - attempts.latest_s > case.limits.longest_wait_s:
            return False
        planned = step.not_before
        if seconds_down(planned) < bound.earliest_s:
            planned.seconds, planned.nanos = bound.earliest_s, 0
        attempts.add(seconds_up(planned))
        return True


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts on a card, ascending: for the payment's amount, and for any."""

    same_amount_s: list[int]
    any_amount_s: list[int]

    @classmethod
    def of(cls, case: Case) -> Self:
        """Those that were made."""
        return cls(list(case.attempts_s), list(case.card_attempts_s))

    @property
    def latest_s(self) -> int:
        """The latest for the payment's amount."""
        return self.same_amount_s[-1]

    def add(self, moment_s: int) -> None:
        """One more after all others."""
        self.same_amount_s.append(moment_s)
        self.any_amount_s.append(moment_s)

    def counted_by(self, budget: BudgetRule) -> Sequence[int]:
        """Those that a budget counts."""
        return self.any_amount_s if budget.any_amount else self.same_amount_s


def earliest_retry(case: Case, attempts: Attempts) -> Bound:
    """The first second after these attempts at which network and budget allow another one."""
    strictest = Bound(attempts.any_amount_s[-1] + 1, "attempts.latest", "not before the latest attempt")
    for budget in case.network.budgets:
        attempts_s = attempts.counted_by(budget)
        if len(attempts_s) >= budget.attempts:
            strictest = _later(strictest, _free_again(budget, attempts_s))
    if case.wait is not None:
        wait = Bound(case.occurred_s + case.wait.seconds, case.wait.name, case.wait.description)
        strictest = _later(strictest, wait)
    return strictest


def _moment(step: RecoveryStep) -> tuple[int, int]:
    moment = step.not_before
    return moment.seconds, moment.nanos


def _later(one: Bound, other: Bound) -> Bound:
    return other if other.earliest_s > one.earliest_s else one


def _free_again(budget: BudgetRule, attempts_s: Sequence[int]) -> Bound:
    """When the oldest of the last N attempts leaves the closed window, so that one more makes N again."""
    return Bound(attempts_s[-budget.attempts] + budget.window_s + 1, budget.name, budget.description)


def _state_budget(answer: RecommendStrategyResponse, case: Case) -> None:
    """State what the tightest budget still allows: at retry_at, or right after the attempt where there is no retry.

    Where that is nothing, the budget bounds the answer, whatever else speaks against a retry.
    """
    answer.attempts_left = 0
    if answer.action == RETRY_ACTION_DO_NOT_RETRY:
        return
    retry = answer.action == RETRY_ACTION_RETRY
    attempts = Attempts.of(case)
    moment = seconds_down(answer.retry_at) if retry else attempts.any_amount_s[-1] + 1
    left, tightest = attempts_left(case, attempts, moment)
    answer.attempts_left = max(0, left)
    if left <= 0 and not answer.network_rule:
        answer.network_rule = tightest


def attempts_left(case: Case, attempts: Attempts, moment_s: int) -> tuple[int, str]:
    """What the tightest budget still allows at a moment, and that budget's name."""
    return min((_left(budget, attempts.counted_by(budget), moment_s), budget.name) for budget in case.network.budgets)


def _left(budget: BudgetRule, attempts_s: Sequence[int], moment_s: int) -> int:
    return budget.attempts - len(attempts_s) + bisect_left(attempts_s, moment_s - budget.window_s)


def _exhausted(bound: Bound) -> Prohibition:
    return Prohibition(bound.rule, RETRY_ACTION_DO_NOT_RETRY, f"no attempt is allowed soon enough: {bound.description}")


def _unsay_chances(answer: RecommendStrategyResponse) -> None:
    answer.ClearField("success_probability")
    answer.ClearField("recovery_probability")


def _take_back(answer: RecommendStrategyResponse, rule: Prohibition) -> None:
    answer.action = rule.action
    answer.ClearField("retry_at")
    _unsay_chances(answer)
    answer.network_rule = rule.name
    del answer.reasons[:]  # they argued for the retry
    answer.reasons.append(Reason(code=rule.name, description=rule.description))
