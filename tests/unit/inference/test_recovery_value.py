"""Plans by expected value: what is best in plain cases, when a person is asked, and what a plan stands on."""

from dataclasses import replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from tidegate.inference.v1.churn_service_pb2 import CHURN_RISK_LOW, PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import FRAUD_DECISION_ALLOW, FRAUD_DECISION_BLOCK, ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_FEATURES_STALE,
    FALLBACK_CAUSE_UNSPECIFIED,
    PaymentContext,
    Provenance,
)
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_HAND_OVER,
    RECOVERY_STEP_KIND_OFFER,
    RECOVERY_STEP_KIND_PAUSE,
    RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION,
    RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD,
    RECOVERY_STEP_KIND_RETRY,
    RecommendPlanResponse,
)
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RecommendStrategyResponse,
)

from services.inference.case import CaseReader
from services.inference.guard import NetworkGuard
from services.inference.ports import Answers
from services.inference.predictors.models.courses import COURSES, Course, Payment, chance_and_worth, views, weighed
from services.inference.predictors.models.recovery import RecoveryByValue
from services.inference.predictors.rules.recovery import RecoveryRules
from services.inference.recovery_values import read_recovery_values
from services.runtime.contract import broken_rules
from tests.unit.inference.contexts import AT, DAY, OCCURRED, TABLES, case, declined
from tests.unit.inference.strategies import payments

VALUES = read_recovery_values()
PLANNER = RecoveryByValue(VALUES, RecoveryRules(CaseReader(TABLES).declines, TABLES.version))


def champion(name: str, version: str = "1") -> Provenance:
    return Provenance(model_name=name, model_version=version, model_alias="champion", predicted_at=AT)


def answers(
    *, first: float | None = 0.4, in_the_end: float = 0.6, days: float = 2, fraud: float = 0.001, churn: float = 0.05
) -> Answers:
    """Answers of models; without `first` no retry is recommended."""
    retry = RecommendStrategyResponse(
        action=RETRY_ACTION_UPDATE_PAYMENT_METHOD if first is None else RETRY_ACTION_RETRY,
        retry_at=None if first is None else Timestamp(seconds=OCCURRED + round(days * DAY)),
        success_probability=first,
        recovery_probability=None if first is None else in_the_end,
        provenance=champion("retry", "4"),
    )
    decision = FRAUD_DECISION_BLOCK if fraud > 0.85 else FRAUD_DECISION_ALLOW
    score = ScoreResponse(fraud_probability=fraud, decision=decision, provenance=champion("fraud", "2"))
    leaving = PredictResponse(churn_probability=churn, risk=CHURN_RISK_LOW, provenance=champion("churn", "3"))
    return Answers(retry, score, leaving)


def planned(asked: PaymentContext, told: Answers) -> RecommendPlanResponse:
    (plan,) = PLANNER.plan([case(asked)], [told], AT)
    assert broken_rules(plan) == ()
    return plan


def kinds(plan: RecommendPlanResponse) -> list[int]:
    return [step.kind for step in plan.steps]


def test_a_good_retry_comes_first_and_the_customer_is_asked_when_it_fails() -> None:
    plan = planned(declined(recurring=True), answers(first=0.8, in_the_end=0.9, days=1))
    assert kinds(plan)[0] == RECOVERY_STEP_KIND_RETRY
    assert plan.steps[0].not_before.seconds == OCCURRED + DAY
    assert kinds(plan)[-1] == RECOVERY_STEP_KIND_PAUSE
    assert 0 < plan.expected_recovered_cents < 2000
    assert not plan.provenance.fallback


def test_where_no_retry_helps_the_customer_is_asked_at_once() -> None:
    plan = planned(declined("expired_card"), answers(first=None))
    assert kinds(plan) == [RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD]
    assert plan.steps[0].not_before.seconds == OCCURRED
    assert plan.expected_recovered_cents == round(
        2000 * VALUES.brings_card[case(declined("expired_card")).decline_class].value * 0.999
    )


def test_who_must_authenticate_is_asked_to() -> None:
    assert kinds(planned(declined("authentication_required"), answers(first=None))) == [
        RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION
    ]


def test_what_is_worth_less_than_an_attempt_and_a_message_is_left_alone_with_the_reason() -> None:
    plan = planned(declined(amount_cents=3), answers(first=0.3, in_the_end=0.4))
    assert kinds(plan) == []
    assert plan.reasons[0].code == "recovery.not_worth_it"


def test_a_customer_who_is_likely_to_leave_gets_an_offer_along_with_the_question() -> None:
    asked = declined("incorrect_number", recurring=True)
    assert RECOVERY_STEP_KIND_OFFER in kinds(planned(asked, answers(first=None, churn=0.6)))
    assert RECOVERY_STEP_KIND_OFFER not in kinds(planned(asked, answers(first=None, churn=0.1)))


@pytest.mark.parametrize("told", [answers(fraud=0.4), answers(first=None, fraud=0.4)])
def test_where_fraud_is_likely_a_person_decides(told: Answers) -> None:
    plan = planned(declined(), told)
    assert kinds(plan) == [RECOVERY_STEP_KIND_HAND_OVER]
    assert [reason.code for reason in plan.reasons] == ["recovery.fraud_likely"]
    assert not plan.HasField("expected_recovered_cents")


def test_nothing_is_recovered_of_what_is_as_good_as_certain_to_be_fraud() -> None:
    plan = planned(declined(), answers(fraud=0.95))
    assert kinds(plan) == []
    assert [reason.code for reason in plan.reasons] == ["recovery.fraud"]


def test_a_large_amount_whose_best_course_is_uncertain_goes_to_a_person() -> None:
    close = answers(first=0.1, in_the_end=0.3, days=10)
    assert RECOVERY_STEP_KIND_HAND_OVER not in kinds(planned(declined(recurring=True), close))
    plan = planned(declined(amount_cents=2_000_000, recurring=True), close)
    assert kinds(plan) == [RECOVERY_STEP_KIND_HAND_OVER]
    assert plan.reasons[0].code == "recovery.undecided"
    assert plan.reasons[0].contribution > 0


def test_a_plan_names_the_versions_it_stands_on() -> None:
    plan = planned(declined(recurring=True), answers())
    assert [(each.name, each.version, each.alias) for each in plan.provenance.based_on] == [
        ("retry", "4", "champion"),
        ("fraud", "2", "champion"),
        ("churn", "3", "champion"),
    ]
    assert VALUES.version in plan.provenance.model_version
    single = planned(declined(), answers())
    assert [each.name for each in single.provenance.based_on] == ["retry", "fraud"]


@pytest.mark.parametrize("which", ["retry", "fraud", "churn"])
def test_without_a_models_answer_the_plan_is_the_rules_and_says_why(which: str) -> None:
    told = answers()
    made_by = getattr(told, which).provenance
    made_by.fallback, made_by.fallback_cause = True, FALLBACK_CAUSE_FEATURES_STALE
    plan = planned(declined(recurring=True), told)
    assert (plan.provenance.model_name, plan.provenance.fallback) == ("recovery-rules", True)
    assert plan.provenance.fallback_cause == FALLBACK_CAUSE_FEATURES_STALE
    assert {each.name for each in plan.provenance.based_on} == {"retry", "fraud", "churn"} - {which}


@pytest.mark.parametrize("which", ["retry", "churn"])
@pytest.mark.parametrize(("fraud", "expected"), [(0.95, []), (0.4, [RECOVERY_STEP_KIND_HAND_OVER])])
def test_a_known_fraud_is_not_collected_because_another_model_is_away(
    which: str, fraud: float, expected: list[int]
) -> None:
    told = answers(fraud=fraud)
    made_by = getattr(told, which).provenance
    made_by.fallback, made_by.fallback_cause = True, FALLBACK_CAUSE_FEATURES_STALE
    plan = planned(declined(recurring=True), told)
    assert kinds(plan) == expected
    assert "fraud" in {each.name for each in plan.provenance.based_on}


def test_a_likely_fraud_of_a_small_amount_takes_nobodys_time() -> None:
    plan = planned(declined(amount_cents=150), answers(fraud=0.4))
    assert kinds(plan) == []
    assert [reason.code for reason in plan.reasons] == ["recovery.fraud_likely"]


CHANCES = st.floats(0, 1)
told_anything = st.builds(
    answers,
    first=st.one_of(st.none(), CHANCES),
    in_the_end=CHANCES,
    days=st.floats(0, 14),
    fraud=CHANCES,
    churn=CHANCES,
)


@given(
    asked=payments(), told=told_anything, amount=st.integers(0, 10**12), currency=st.sampled_from(["USD", "JPY", "XTS"])
)
def test_every_plan_keeps_contract_and_rules_and_expects_no_more_than_the_amount(
    asked: PaymentContext, told: Answers, amount: int, currency: str
) -> None:
    asked.amount_cents, asked.currency = amount, currency
    judged = case(asked)
    NetworkGuard().enforce(told.retry, judged)  # as the handler does
    (plan,) = PLANNER.plan([judged], [told], AT)
    NetworkGuard().enforce_plan(plan, judged)
    assert broken_rules(plan) == ()
    assert 0 <= plan.expected_recovered_cents <= amount
    retries = [step for step in plan.steps if step.kind == RECOVERY_STEP_KIND_RETRY]
    assert retries == [] or judged.prohibition is None
    assert plan.provenance.fallback_cause == FALLBACK_CAUSE_UNSPECIFIED
    assert plan.steps or plan.reasons


@given(told=told_anything, amount=st.integers(1, 10**9))
def test_the_course_taken_is_on_average_worth_no_less_than_any_other(told: Answers, amount: int) -> None:
    payment = Payment.of(case(declined(amount_cents=amount, recurring=True)), told, VALUES)
    found = weighed(payment, VALUES)
    seen = views(payment, VALUES)

    def worth(course: Course) -> float:
        return sum(chance_and_worth(payment, view, course)[1] for view in seen)

    possible = [course for course in COURSES if payment.first > 0 or not course.tries]
    assert worth(found.best) == pytest.approx(max(map(worth, possible)))


def test_a_dearer_dispute_makes_a_doubtful_payment_worth_less() -> None:
    payment = Payment.of(case(declined()), answers(fraud=0.2), VALUES)
    assert replace(payment, dispute=10_000.0).gain < payment.gain < replace(payment, fraud=0.0).gain
