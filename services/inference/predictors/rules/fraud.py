"""Scores fraud by a table of points over what a single payment shows."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.fraud_service_pb2 import (
    FRAUD_DECISION_ALLOW,
    FRAUD_DECISION_BLOCK,
    FRAUD_DECISION_REVIEW,
    FraudDecision,
    ScoreResponse,
)
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE, PROVIDER_UNSPECIFIED
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_FRAUD, DECLINE_CLASS_HARD

from services.inference.case import Case
from services.inference.predictors.rules.card import expired
from services.inference.predictors.rules.currencies import ABOUT_USD_1000, HOME_COUNTRIES
from services.inference.predictors.rules.points import PointRule, PointTable, Question, holds
from services.inference.predictors.rules.provenance import rules_provenance
from services.inference.rules import HOUR_S

NAME = "fraud-rules"
VERSION = "1"
REVIEW_THRESHOLD = 0.4
BLOCK_THRESHOLD = 0.8

# Stripe Radar calls a score from 65 on elevated and from 75 on high (docs.stripe.com/radar/risk-evaluation, 2026-11).
_ELEVATED_RISK = 65
_HIGHEST_RISK = 75
# In multiples of about USD 1,000.
_HIGH_AMOUNT = 1
_VERY_HIGH_AMOUNT = 5
_CARD_TESTING_TRIES = 5


def _provider_risk(case: Case) -> str:
    """The provider's risk score where it is on Radar's scale."""
    payment = case.payment
    score = payment.provider_risk_score
    if score < _ELEVATED_RISK or payment.provider not in {PROVIDER_STRIPE, PROVIDER_UNSPECIFIED}:
        return "none"
    return "highest" if score >= _HIGHEST_RISK else "elevated"


def _amount(case: Case) -> str:
    """How high the amount is for its currency; none where the currency is not judged."""
    payment = case.payment
    thousand = ABOUT_USD_1000.get(payment.currency)
    times = payment.amount_cents // thousand if thousand else 0
    if times < _HIGH_AMOUNT:
        return "none"
    return "very_high" if times >= _VERY_HIGH_AMOUNT else "high"


def _is_foreign(case: Case) -> bool:
    home = HOME_COUNTRIES.get(case.payment.currency)
    country = case.payment.card_country
    return home is not None and country != "" and country not in home


RULES = (
    Question(
        _provider_risk,
        {
            "highest": PointRule("provider_risk.highest", 60, "risk score of the provider 75 or more"),
            "elevated": PointRule("provider_risk.elevated", 35, "risk score of the provider 65 to 74"),
        },
    ),
    Question(
        lambda case: case.decline_class if case.failed else None,
        {
            DECLINE_CLASS_FRAUD: PointRule("decline.fraud", 60, "declined as suspected fraud"),
            DECLINE_CLASS_HARD: PointRule("decline.hard", 40, "card lost, stolen or closed"),
        },
    ),
    holds(
        lambda case: case.tries_within(HOUR_S) >= _CARD_TESTING_TRIES,
        "card.velocity",
        30,
        "5 or more attempts on this card for this amount within an hour, as in card testing",
    ),
    Question(
        _amount,
        {
            "very_high": PointRule("amount.very_high", 25, "about USD 5,000 or more"),
            "high": PointRule("amount.high", 10, "about USD 1,000 to 5,000"),
        },
    ),
    holds(lambda case: case.payment.card_funding == "prepaid", "card.prepaid", 15, "prepaid card"),
    holds(expired, "card.expired", 15, "card past its expiry date"),
    holds(_is_foreign, "card.foreign", 10, "card issued where the currency is not used"),
    holds(lambda case: not case.payment.customer_id, "customer.guest", 10, "no known customer"),
    holds(lambda case: case.payment.recurring, "payment.recurring", -20, "belongs to a subscription"),
)


class FraudRules:
    """FraudPredictor by the points table."""

    def __init__(self) -> None:
        self._table = PointTable(RULES)
        self._blank = ScoreResponse(
            review_threshold=REVIEW_THRESHOLD,
            block_threshold=BLOCK_THRESHOLD,
            provenance=rules_provenance(NAME, VERSION),
        )

    def score(self, cases: Sequence[Case], at: Timestamp) -> list[ScoreResponse]:
        """One score for each payment."""
        return [self._score(case, at) for case in cases]

    def _score(self, case: Case, at: Timestamp) -> ScoreResponse:
        answer = ScoreResponse()
        answer.CopyFrom(self._blank)
        score, reasons = self._table.judge(case)
        answer.fraud_probability = score
        answer.decision = _decision(score)
        answer.reasons.extend(reasons)
        answer.provenance.predicted_at.CopyFrom(at)
        return answer


def _decision(score: float) -> "FraudDecision":
    if score >= BLOCK_THRESHOLD:
        return FRAUD_DECISION_BLOCK
    return FRAUD_DECISION_REVIEW if score >= REVIEW_THRESHOLD else FRAUD_DECISION_ALLOW
