from typing import Any

import pytest
from hypothesis import given
from tidegate.inference.v1.fraud_service_pb2 import (
    FRAUD_DECISION_ALLOW,
    FRAUD_DECISION_BLOCK,
    FRAUD_DECISION_REVIEW,
    ScoreResponse,
)
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_ADYEN

from services.runtime import contract
from tests.unit.inference.contexts import AT, OCCURRED, declined, handler, payment
from tests.unit.inference.strategies import payments

HANDLER = handler()


def score(asked: PaymentContext) -> ScoreResponse:
    return HANDLER.score([asked], AT)[0]


def points(asked: PaymentContext) -> dict[str, float]:
    """The score in points, with the codes of its reasons."""
    answer = score(asked)
    return {"score": round(answer.fraud_probability * 100), **{reason.code: 1 for reason in answer.reasons}}


def test_an_ordinary_payment_has_no_points_and_passes() -> None:
    answer = score(payment())
    assert (answer.fraud_probability, answer.decision) == (0, FRAUD_DECISION_ALLOW)
    assert [reason.code for reason in answer.reasons] == ["no_signal"]


@pytest.mark.parametrize(
    ("facts", "code", "worth"),
    [
        ({"provider_risk_score": 64}, "no_signal", 0),
        ({"provider_risk_score": 65}, "provider_risk.elevated", 35),
        ({"provider_risk_score": 74}, "provider_risk.elevated", 35),
        ({"provider_risk_score": 75}, "provider_risk.highest", 60),
        ({"amount_cents": 99_999}, "no_signal", 0),
        ({"amount_cents": 100_000}, "amount.high", 10),
        ({"amount_cents": 500_000}, "amount.very_high", 25),
        ({"card_funding": "prepaid"}, "card.prepaid", 15),
        ({"card_country": "FR"}, "card.foreign", 10),
        ({"card_country": None}, "no_signal", 0),
        ({"customer_id": None}, "customer.guest", 10),
        ({"card_exp_year": 2026, "card_exp_month": 10}, "card.expired", 15),
        ({"card_exp_year": 2026, "card_exp_month": 11}, "no_signal", 0),
        ({"card_exp_year": 2025, "card_exp_month": 12}, "card.expired", 15),
        ({"failure_code": "fraudulent"}, "decline.fraud", 60),
        ({"failure_code": "stolen_card"}, "decline.hard", 40),
        ({"failure_code": "do_not_honor"}, "no_signal", 0),
        ({"previous": [OCCURRED - 60 * n for n in range(1, 4)]}, "no_signal", 0),
        ({"previous": [OCCURRED - 60 * n for n in range(1, 5)]}, "card.velocity", 30),
    ],
)
def test_a_fact_is_worth_its_points(facts: dict[str, Any], code: str, worth: int) -> None:
    assert points(payment(**facts)) == {"score": worth, code: 1}


@pytest.mark.parametrize(
    ("currency", "amount", "high"),
    [
        ("JPY", 100_000, False),  # about USD 700: the yen has no minor unit
        ("JPY", 150_000, True),
        ("KWD", 300_000, False),  # 300 dinars: three decimals
        ("KWD", 310_000, True),
        ("XOF", 10**12, False),  # not in the table: not judged
    ],
)
def test_an_amount_is_judged_in_its_own_currency(currency: str, amount: int, high: bool) -> None:  # noqa: FBT001 - a row of the table
    answer = points(payment(currency=currency, amount_cents=amount, card_country=None))
    assert ("amount.high" in answer) == high


def test_a_risk_score_on_another_scale_than_stripe_s_is_not_read() -> None:
    assert points(payment(provider=PROVIDER_ADYEN, provider_risk_score=90)) == {"score": 0, "no_signal": 1}


def test_a_subscription_lowers_the_score_but_not_below_nothing() -> None:
    assert points(payment(recurring=True))["score"] == 0
    assert points(payment(recurring=True, provider_risk_score=80))["score"] == 40


def test_one_strong_signal_is_reviewed_and_several_are_blocked() -> None:
    assert score(payment(provider_risk_score=80)).decision == FRAUD_DECISION_REVIEW
    several = score(payment(provider_risk_score=80, amount_cents=700_000))
    assert several.decision == FRAUD_DECISION_BLOCK
    assert [reason.code for reason in several.reasons] == ["provider_risk.highest", "amount.very_high"]


def test_the_score_never_leaves_its_scale() -> None:
    worst = payment(
        provider_risk_score=100,
        amount_cents=10**9,
        card_funding="prepaid",
        customer_id=None,
        card_country="FR",
        failure_code="fraudulent",
    )
    assert score(worst).fraud_probability == 1


@given(asked=payments())
def test_every_answer_keeps_the_contract_and_says_that_rules_gave_it(asked: PaymentContext) -> None:
    answer = score(asked)
    assert contract.broken_rules(answer) == ()
    assert answer.provenance.fallback
    assert 0 <= answer.fraud_probability <= 1
    assert (answer.decision == FRAUD_DECISION_BLOCK) == (answer.fraud_probability >= answer.block_threshold)
    assert (answer.decision == FRAUD_DECISION_ALLOW) == (answer.fraud_probability < answer.review_threshold)


def test_an_answer_of_one_payment_does_not_change_with_the_others_of_its_list() -> None:
    mixed = [payment(), declined("fraudulent"), payment(provider_risk_score=80)]
    assert HANDLER.score(mixed, AT) == [score(asked) for asked in mixed]
