"""The churn model behind its port: whom and what it covers, and when rules must answer in its place."""

from pathlib import Path
from typing import Any

import pytest
from tidegate.inference.v1.assessment_service_pb2 import QUESTION_CHURN, AssessmentItem
from tidegate.inference.v1.churn_service_pb2 import (
    CHURN_RISK_HIGH,
    CHURN_RISK_LOW,
    CHURN_RISK_MEDIUM,
    PredictRequest,
    PredictResponse,
)
from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_FEATURES_UNAVAILABLE,
    FALLBACK_CAUSE_NOT_COVERED,
    FALLBACK_CAUSE_UNSPECIFIED,
    PaymentContext,
)

from services.inference.adapters.lightgbm_model import LightGbmModel
from services.inference.features import Features
from services.inference.journal import Told, logged
from services.inference.predictors.models.served import ServedModel, UnfitModelError
from services.inference.predictors.rules.churn import HIGH_THRESHOLD, MEDIUM_THRESHOLD
from services.inference.serving import (
    CHALLENGER,
    CHAMPION,
    Alias,
    QuestionName,
    Serving,
    fit,
    serving_by,
)
from services.runtime.contract import broken_rules
from tests.fakes import models
from tests.unit.inference.contexts import AT, TABLES, payment
from tests.unit.inference.looked_up import known, looked_up, never_seen

GUEST = payment(customer_id=None)


def model(folder: Path, *, version: str = "3", alias: Alias = CHAMPION, **what: Any) -> LightGbmModel:
    return LightGbmModel(models.churn_folder(folder / version, **what), name="churn", version=version, alias=alias)


def serving(folder: Path, *, challenger: bool = False, **what: Any) -> Serving:
    served: dict[tuple[QuestionName, Alias], ServedModel] = {("churn", CHAMPION): fit("churn", model(folder, **what))}
    if challenger:
        beside = model(folder, version="4", alias=CHALLENGER, always=0.7)
        served["churn", CHALLENGER] = fit("churn", beside)
    return serving_by(TABLES)(served)


def predict(
    by: Serving, asked: PaymentContext | None = None, days: int = 0, features: Features | None = None
) -> PredictResponse:
    asked = asked or payment()
    request = PredictRequest(payment=asked, horizon_days=days)
    (answer,) = by.handler.predict([request], AT, [features or looked_up(never_seen(asked), asked)])
    assert broken_rules(answer) == ()
    return answer


def test_the_model_answers_and_says_which_version_with_what(tmp_path: Path) -> None:
    answer = predict(serving(tmp_path), features=looked_up(known(seconds_ago=60)))
    provenance = answer.provenance
    assert (provenance.model_name, provenance.model_version, provenance.model_alias) == ("churn", "3", "champion")
    assert (provenance.fallback, provenance.fallback_cause) == (False, FALLBACK_CAUSE_UNSPECIFIED)
    assert {use.name: use.age_ms for use in provenance.features}["customer_stats:failed_payments_7d"] == 60_000


@pytest.mark.parametrize(("always", "risk"), [(0.1, CHURN_RISK_LOW), (0.3, CHURN_RISK_MEDIUM), (0.7, CHURN_RISK_HIGH)])
def test_the_artifacts_thresholds_decide_and_are_told(tmp_path: Path, always: float, risk: int) -> None:
    answer = predict(serving(tmp_path, always=always))
    assert answer.churn_probability == pytest.approx(always)
    assert (answer.risk, answer.medium_threshold, answer.high_threshold) == (risk, 0.2, 0.6)


def test_the_strongest_reason_speaks_the_artifacts_words(tmp_path: Path) -> None:
    answer = predict(serving(tmp_path), payment(amount_cents=100_000))
    assert (answer.reasons[0].code, answer.reasons[0].contribution > 0) == ("amount.high", True)


@pytest.mark.parametrize("days", [0, 30])
def test_a_question_of_its_own_horizon_is_its_to_answer(tmp_path: Path, days: int) -> None:
    answer = predict(serving(tmp_path), days=days)
    assert (answer.provenance.fallback, answer.horizon_days) == (False, 30)


@pytest.mark.parametrize(("asked", "days"), [(payment(), 90), (payment(), 29), (GUEST, 30), (GUEST, 90)])
def test_of_another_horizon_and_of_a_guest_rules_answer_and_say_why(
    tmp_path: Path, asked: PaymentContext, days: int
) -> None:
    answer = predict(serving(tmp_path), asked, days)
    assert (answer.provenance.model_name, answer.provenance.fallback) == ("churn-rules", True)
    assert answer.provenance.fallback_cause == FALLBACK_CAUSE_NOT_COVERED
    assert (answer.medium_threshold, answer.high_threshold) == (MEDIUM_THRESHOLD, HIGH_THRESHOLD)
    assert answer.horizon_days == days


def test_without_features_rules_answer_and_say_why(tmp_path: Path) -> None:
    answer = predict(serving(tmp_path), features=looked_up(FALLBACK_CAUSE_FEATURES_UNAVAILABLE))
    assert answer.provenance.fallback_cause == FALLBACK_CAUSE_FEATURES_UNAVAILABLE
    assert len(answer.provenance.features) == len(models.FEATURES)


def test_answers_keep_their_payments_where_only_some_are_the_models(tmp_path: Path) -> None:
    by = serving(tmp_path, always=0.7)
    requests = [PredictRequest(payment=payment(), horizon_days=days) for days in (90, 30, 60, 30)]
    answers = by.handler.predict(requests, AT, [looked_up(never_seen())] * 4)
    assert [answer.provenance.fallback for answer in answers] == [True, False, True, False]
    assert [answer.horizon_days for answer in answers] == [90, 30, 60, 30]


def test_an_assessment_is_of_the_models_horizon(tmp_path: Path) -> None:
    item = AssessmentItem(payment=payment(), questions=[QUESTION_CHURN])
    (assessment,) = serving(tmp_path).handler.assess([item], AT, [looked_up(never_seen())]).assessments
    assert not assessment.churn.provenance.fallback


@pytest.mark.parametrize("horizon_days", [None, 0])
def test_a_model_that_does_not_say_of_how_many_days_it_is_is_not_served(
    tmp_path: Path, horizon_days: int | None
) -> None:
    with pytest.raises(UnfitModelError, match="horizon_days"):
        fit("churn", model(tmp_path, horizon_days=horizon_days))


def test_a_model_without_its_thresholds_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(UnfitModelError, match="high"):
        fit("churn", model(tmp_path, thresholds={"medium": 0.2}))


def test_answer_and_challenger_are_logged_with_what_was_served(tmp_path: Path) -> None:
    by, asked = serving(tmp_path, challenger=True, always=0.1), payment(event_id="stripe:evt_1")
    features = looked_up(never_seen(asked), asked)
    champion, shadow = logged(Told("churn", by, asked, features, predict(by, asked, features=features)))
    assert [champion.score, shadow.score] == pytest.approx([0.1, 0.7])
    assert [champion.shadow, shadow.shadow] == [False, True]
    assert (shadow.model_name, shadow.model_version) == ("churn", "4")
    values = {each.name: each.value for each in champion.features if each.HasField("value")}
    assert values["payment:amount_usd"] == pytest.approx(20.0)
    assert broken_rules(champion) == broken_rules(shadow) == ()


@pytest.mark.parametrize(("asked", "days"), [(payment(), 90), (GUEST, 30)])
def test_the_challenger_says_nothing_of_what_it_does_not_cover(
    tmp_path: Path, asked: PaymentContext, days: int
) -> None:
    by, features = serving(tmp_path, challenger=True), looked_up(never_seen(asked), asked)
    (message,) = logged(Told("churn", by, asked, features, predict(by, asked, days, features)))
    assert (message.fallback, message.fallback_cause) == (True, FALLBACK_CAUSE_NOT_COVERED)
