"""The retry model behind its port: when it says to try, when rules answer in its place, and that no rule is broken."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tidegate.inference.v1.assessment_service_pb2 import QUESTION_RECOVERY, QUESTION_RETRY, AssessmentItem
from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_FEATURES_STALE,
    FALLBACK_CAUSE_FEATURES_UNAVAILABLE,
    FALLBACK_CAUSE_MODEL_ERROR,
    PaymentContext,
)
from tidegate.inference.v1.recovery_service_pb2 import RECOVERY_STEP_KIND_RETRY
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RecommendStrategyResponse,
)

from mlops.registry.retry.inputs import FEATURES
from mlops.registry.retry.policy import Policy, Terms
from services.inference.adapters.lightgbm_model import LightGbmModel
from services.inference.case import seconds_up
from services.inference.features import Features
from services.inference.journal import Told, logged
from services.inference.predictors.models.inputs import UnknownFeaturesError
from services.inference.predictors.models.port import Rows, Verdict
from services.inference.predictors.models.served import ServedModel, UnfitModelError
from services.inference.serving import CHALLENGER, CHAMPION, Models, Serving, fit, serving_by
from services.runtime.contract import broken_rules
from tests.fakes import models
from tests.unit.inference.contexts import AT, DAY, OCCURRED, TABLES, case, declined
from tests.unit.inference.looked_up import known, looked_up
from tests.unit.inference.strategies import payments, retryable_payments
from tests.unit.inference.test_guard import over_budget

WAIT = FEATURES.index("wait_hours")


class Says(LightGbmModel):
    """A model that says of rows what a test wants."""

    def __init__(self, folder: Path, says: Callable[[Rows], Rows]) -> None:
        super().__init__(folder, name="retry", version="3", alias="champion")
        self.says = says

    def probabilities(self, rows: Rows) -> Rows:
        """As told."""
        return self.says(rows)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.retry_folder(tmp_path_factory.mktemp("retry"))


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Champions of the questions that a plan needs answered besides."""
    folder = tmp_path_factory.mktemp("others")
    fraud = LightGbmModel(models.folder(folder / "f", always=0.01), name="fraud", version="1", alias=CHAMPION)
    churn = LightGbmModel(models.churn_folder(folder / "c"), name="churn", version="1", alias=CHAMPION)
    return {("fraud", CHAMPION): fit("fraud", fraud), ("churn", CHAMPION): fit("churn", churn)}


def says(folder: Path, told: Callable[[Rows], Rows], others: Models | None = None) -> Serving:
    return serving_by(TABLES)({("retry", CHAMPION): fit("retry", Says(folder, told)), **(others or {})})


def best_after(hours: float) -> Callable[[Rows], Rows]:
    """Knows one good hour."""
    return lambda rows: np.where(rows[:, WAIT] == hours, 0.9, 0.05)


def seen(asked: PaymentContext, seconds_ago: int = 60) -> Features:
    """Features of entities that were heard of so long before the payment."""
    return looked_up(known(seconds_ago=seconds_ago), asked)


def recommended(by: Serving, asked: PaymentContext, features: Features | None = None) -> RecommendStrategyResponse:
    (answer,) = by.handler.recommend([asked], AT, [features or seen(asked)])
    assert broken_rules(answer) == ()
    return answer


def test_the_model_chooses_the_moment_and_says_why(folder: Path) -> None:
    answer = recommended(says(folder, best_after(29)), declined())
    assert answer.action == RETRY_ACTION_RETRY
    assert answer.retry_at == Timestamp(seconds=OCCURRED + 29 * 3600)
    assert answer.success_probability == pytest.approx(0.9)
    assert answer.success_probability < answer.recovery_probability < 1
    assert answer.reasons
    assert answer.attempts_left >= 1
    made_by = answer.provenance
    assert (made_by.model_name, made_by.model_version, made_by.model_alias) == ("retry", "3", "champion")
    assert not made_by.fallback
    ages = {use.name: use.age_ms for use in made_by.features}
    assert (ages["customer_stats:failed_payments_7d"], ages["payment:wait_hours"]) == (60_000, 0)


def test_a_wait_that_the_network_advises_is_kept(folder: Path) -> None:
    answer = recommended(says(folder, best_after(1)), declined(card_brand="mastercard", network_advice_code="26"))
    assert answer.retry_at.seconds >= OCCURRED + 2 * DAY


def test_what_is_not_worth_an_attempt_goes_to_the_customer(folder: Path) -> None:
    answer = recommended(says(folder, best_after(29)), declined(amount_cents=50))
    assert answer.action == RETRY_ACTION_UPDATE_PAYMENT_METHOD
    assert not answer.provenance.fallback
    assert [reason.code for reason in answer.reasons] == ["retry.no_moment"]


@pytest.mark.parametrize(
    ("code", "action"),
    [("stolen_card", RETRY_ACTION_DO_NOT_RETRY), ("incorrect_number", RETRY_ACTION_UPDATE_PAYMENT_METHOD)],
)
def test_what_no_waiting_mends_is_not_tried_however_hopeful_the_model(folder: Path, code: str, action: int) -> None:
    answer = recommended(says(folder, lambda rows: np.ones(len(rows))), declined(code))
    assert answer.action == action
    assert not answer.provenance.fallback


def test_a_class_that_the_caller_does_not_name_is_told_by_the_code(folder: Path) -> None:
    seen: list[float] = []

    def told(rows: Rows) -> Rows:
        seen.append(rows[0, FEATURES.index("decline_class")])
        return np.full(len(rows), 0.5)

    recommended(says(folder, told), declined("insufficient_funds"))
    assert seen == [case(declined("insufficient_funds")).decline_class]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0, 2.0])
def test_what_is_no_probability_leaves_the_answer_to_rules(folder: Path, wrong: float) -> None:
    answer = recommended(says(folder, lambda rows: np.full(len(rows), wrong)), declined())
    assert answer.provenance.fallback_cause == FALLBACK_CAUSE_MODEL_ERROR
    assert answer.provenance.model_name == "retry-rules"
    assert not answer.HasField("recovery_probability")


def no_number(rows: Rows) -> Rows:
    return np.full(len(rows), np.nan)


def raises(rows: Rows) -> Rows:
    raise RuntimeError(f"the amount was {rows[0, 0]}")


@pytest.mark.parametrize(("told", "error"), [(no_number, "ArithmeticError"), (raises, "RuntimeError")])
def test_whatever_fails_is_logged_once_without_its_text(folder: Path, told: Callable[[Rows], Rows], error: str) -> None:
    with capture_logs() as logs:
        recommended(says(folder, told), declined())
    (line,) = logs
    assert (line["event"], line["model"], line["version"], line["error"]) == ("model.failed", "retry", "3", error)
    assert any("retry.py" in frame for frame in line["at"])
    assert "the amount" not in str(line)


class Failing(LightGbmModel):
    """Fails at every question."""

    def judge(self, rows: Rows) -> Sequence[Verdict]:
        """Raise."""
        raise RuntimeError(f"the amount was {rows[0, 0]}")


def test_a_model_that_fails_in_its_adapter_is_logged_once(folder: Path) -> None:
    model = Failing(folder, name="retry", version="3", alias="champion")
    with capture_logs() as logs:
        answer = recommended(serving_by(TABLES)({("retry", CHAMPION): fit("retry", model)}), declined())
    assert answer.provenance.fallback_cause == FALLBACK_CAUSE_MODEL_ERROR
    assert [line["event"] for line in logs] == ["model.failed"]


def test_without_fresh_features_rules_answer_and_say_why(folder: Path) -> None:
    by = says(folder, best_after(29))
    away = looked_up(FALLBACK_CAUSE_FEATURES_UNAVAILABLE)
    assert recommended(by, declined(), away).provenance.fallback_cause == FALLBACK_CAUSE_FEATURES_UNAVAILABLE
    stale = recommended(by, declined(), seen(declined(), seconds_ago=100 * DAY))
    assert stale.provenance.fallback_cause == FALLBACK_CAUSE_FEATURES_STALE
    assert any(use.stale for use in stale.provenance.features)


def test_a_model_without_policy_or_of_other_columns_is_refused(folder: Path, tmp_path: Path) -> None:
    bare = models.folder(tmp_path / "bare", features=FEATURES)
    with pytest.raises(UnfitModelError, match="policy"):
        fit("retry", LightGbmModel(bare, name="retry", version="1", alias="champion"))
    with pytest.raises(UnknownFeaturesError, match="train it again"):
        fit("retry", LightGbmModel(models.folder(tmp_path / "o"), name="retry", version="1", alias="champion"))


def test_a_model_whose_policy_cannot_be_followed_is_refused_with_the_reason(tmp_path: Path) -> None:
    policy = Policy(Terms()).as_json()
    policy["terms"]["attempt_usd"] = -1.0
    broken = models.folder(tmp_path / "b", features=FEATURES, metadata={"name": "retry", "policy": policy})
    with pytest.raises(UnfitModelError, match="attempt_usd is -1"):
        fit("retry", LightGbmModel(broken, name="retry", version="1", alias="champion"))


def test_the_log_tells_the_chosen_moment_and_the_challengers_own(folder: Path) -> None:
    models_: dict[tuple[str, str], ServedModel] = {
        ("retry", CHAMPION): fit("retry", Says(folder, best_after(29))),
        ("retry", CHALLENGER): fit("retry", Says(folder, best_after(49))),
    }
    by = serving_by(TABLES)(models_)  # type: ignore[arg-type]
    asked = declined()
    answer = recommended(by, asked)
    champion, shadow = logged(Told("retry", by, asked, seen(asked), answer))
    for message, hours in ((champion, 29), (shadow, 49)):
        assert broken_rules(message) == ()
        assert message.score == pytest.approx(0.9)
        values = {feature.name: feature.value for feature in message.features if feature.HasField("value")}
        assert values["payment:wait_hours"] == hours
    assert (champion.shadow, shadow.shadow) == (False, True)


def test_where_no_moment_was_chosen_the_log_has_none(folder: Path) -> None:
    by = says(folder, best_after(29))
    asked = declined(amount_cents=50)
    (message,) = logged(Told("retry", by, asked, seen(asked), recommended(by, asked)))
    assert message.score == 0
    told = {feature.name: feature.HasField("value") for feature in message.features}
    assert (told["payment:wait_hours"], told["payment:amount_usd"]) == (False, True)


def test_a_plan_is_made_of_the_champions_answers_and_names_them(folder: Path, others: Models) -> None:
    by = says(folder, best_after(29), others)
    asked = declined(recurring=True)
    item = AssessmentItem(payment=asked, questions=[QUESTION_RECOVERY])
    (assessment,) = by.handler.assess([item], AT, [seen(asked)]).assessments
    assert not assessment.recovery.provenance.fallback
    assert [each.name for each in assessment.recovery.provenance.based_on] == ["retry", "fraud", "churn"]
    assert assessment.recovery.steps[0].not_before.seconds == OCCURRED + 29 * 3600
    assert not assessment.HasField("fraud")
    assert by.looks_up(["recovery"])


ANYTHING = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1), st.sampled_from([-1.0, 2.0, 1.0]))


@st.composite
def liars(draw: st.DrawFn) -> Callable[[Rows], Rows]:
    """Any model: numbers over and over, always the earliest moment, the wrong count of answers, or an error."""
    numbers = draw(st.lists(ANYTHING, min_size=1, max_size=6))

    def fails(rows: Rows) -> Rows:
        raise RuntimeError(f"not for {len(rows)} rows")

    liar: Callable[[Rows], Rows] = draw(
        st.sampled_from(
            [
                lambda rows: np.resize(np.array(numbers), len(rows)),
                lambda rows: np.where(rows[:, WAIT] == rows[:, WAIT].min(), 1.0, 0.0),
                lambda rows: np.full(len(rows) + 1, 0.5),
                fails,
            ]
        )
    )
    return liar


@given(asked=st.one_of(payments(), retryable_payments()), says_=liars())
def test_whatever_a_model_says_every_answer_and_every_plan_keeps_the_rules(
    folder: Path, others: Models, asked: PaymentContext, says_: Callable[[Rows], Rows]
) -> None:
    by = says(folder, says_, others)
    item = AssessmentItem(payment=asked, questions=[QUESTION_RETRY, QUESTION_RECOVERY])
    (assessment,) = by.handler.assess([item], AT, [seen(asked)]).assessments
    assert broken_rules(assessment) == ()
    judged = case(asked)
    planned = [
        seconds_up(step.not_before) for step in assessment.recovery.steps if step.kind == RECOVERY_STEP_KIND_RETRY
    ]
    answered = [assessment.retry.retry_at.seconds] if assessment.retry.action == RETRY_ACTION_RETRY else []
    for retries in (answered, planned):
        assert retries == [] or judged.prohibition is None
        latest = max(judged.card_attempts_s)
        for number, moment in enumerate(retries):
            assert moment > latest
            assert judged.wait is None or moment >= OCCURRED + judged.wait.seconds
            assert over_budget(judged, retries[: number + 1]) == []
            latest = moment


@pytest.mark.parametrize("event_type", ["payment.succeeded", "payment.refunded", "dispute.created"])
def test_a_payment_that_did_not_fail_is_never_charged_again(folder: Path, others: Models, event_type: str) -> None:
    asked = declined(event_type=event_type)
    by = says(folder, lambda rows: np.full(len(rows), 0.9), others)
    item = AssessmentItem(payment=asked, questions=[QUESTION_RETRY, QUESTION_RECOVERY])
    (assessment,) = by.handler.assess([item], AT, [seen(asked)]).assessments
    assert assessment.retry.action == RETRY_ACTION_DO_NOT_RETRY
    assert assessment.retry.network_rule == "payment.not_failed"
    assert RECOVERY_STEP_KIND_RETRY not in {step.kind for step in assessment.recovery.steps}
