import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.inference.v1.churn_service_pb2 import (
    CHURN_RISK_HIGH,
    CHURN_RISK_LOW,
    CHURN_RISK_MEDIUM,
    PredictRequest,
    PredictResponse,
)
from tidegate.inference.v1.payment_context_pb2 import PaymentContext

from services.runtime import contract
from tests.unit.inference.contexts import AT, DAY, OCCURRED, declined, handler, payment
from tests.unit.inference.strategies import payments

HANDLER = handler()


def predict(asked: PaymentContext, horizon_days: int = 0) -> PredictResponse:
    return HANDLER.predict([PredictRequest(payment=asked, horizon_days=horizon_days)], AT)[0]


def test_a_customer_who_pays_is_a_low_risk() -> None:
    answer = predict(payment())
    assert (round(answer.churn_probability * 100), answer.risk) == (5, CHURN_RISK_LOW)


@pytest.mark.parametrize(
    ("asked", "points", "risk"),
    [
        (declined("issuer_not_available"), 10, CHURN_RISK_LOW),
        (declined("insufficient_funds"), 30, CHURN_RISK_MEDIUM),
        (declined("stolen_card"), 50, CHURN_RISK_HIGH),
        (declined("insufficient_funds", previous=[OCCURRED - DAY]), 40, CHURN_RISK_MEDIUM),
        (declined("insufficient_funds", previous=[OCCURRED - n * DAY for n in (1, 2, 3)]), 55, CHURN_RISK_HIGH),
        (payment(previous=[OCCURRED - n * DAY for n in (1, 2, 3)]), 5, CHURN_RISK_LOW),
        (payment(card_exp_year=2026, card_exp_month=11), 20, CHURN_RISK_LOW),
        (payment(customer_id=None), 15, CHURN_RISK_LOW),
    ],
)
def test_a_failure_weighs_by_how_hard_it_is_to_mend(asked: PaymentContext, points: int, risk: int) -> None:
    answer = predict(asked)
    assert (round(answer.churn_probability * 100), answer.risk) == (points, risk)


def test_the_horizon_is_thirty_days_unless_the_caller_says_otherwise() -> None:
    assert predict(payment()).horizon_days == 30
    assert predict(payment(), horizon_days=90).horizon_days == 90


@given(asked=payments(), horizon_days=st.integers(0, 365))
def test_every_answer_keeps_the_contract_and_says_that_rules_gave_it(asked: PaymentContext, horizon_days: int) -> None:
    answer = predict(asked, horizon_days)
    assert contract.broken_rules(answer) == ()
    assert answer.provenance.fallback
