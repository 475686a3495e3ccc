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
from services.inference.predictors.rules.card import expired_on
from services.inference.predictors.rules.currencies import ABOUT_USD_1000, HOME_COUNTRIES
from services.inference.predictors.rules.points import PointRule, PointTable
from services.inference.predictors.rules.provenance import rules_provenance
from services.inference.rules import HOUR_S

NAME = "fraud-rules"
VERSION = "1"
REVIEW_THRESHOLD = 0.4
BLOCK_THRESHOLD = 0.8

# Stripe Radar calls a score from 65 on elevated and from 75 on high (docs.stripe.com/radar/risk-evaluation, 2026-11).
_ELEVATED_RISK = 65
_HIGHEST_RISK = 75
_VERY_HIGH_AMOUNT = 5
_CARD_TESTING_TRIES = 5


def _radar_score(case: Case) -> int:
    """The provider's risk score where it is on Radar's scale."""
    payment = case.payment
    return payment.provider_risk_score if payment.provider in {PROVIDER_STRIPE, PROVIDER_UNSPECIFIED} else 0


def _times_usd_1000(case: Case) -> int:
    """The amount in whole multiples of about USD 1,000; 0 where the currency is not judged."""
    thousand = ABOUT_USD_1000.get(case.payment.currency)
    return case.payment.amount_cents // thousand if thousand else 0


def _foreign_card(case: Case) -> bool:
    home = HOME_COUNTRIES.get(case.payment.currency)
    country = case.payment.card_country
    return bool(home and country) and country not in (home or ())


def _refused_as(case: Case, decline_class: int) -> bool:
    return case.failed and case.decline_class == decline_class


RULES = (
    PointRule(
        "provider_risk.highest", 60, "risk score of the provider 75 or more", lambda c: _radar_score(c) >= _HIGHEST_RISK
    ),
    PointRule(
        "provider_risk.elevated",
        35,
        "risk score of the provider 65 to 74",
        lambda c: _ELEVATED_RISK <= _radar_score(c) < _HIGHEST_RISK,
    ),
    PointRule("decline.fraud", 60, "declined as suspected fraud", lambda c: _refused_as(c, DECLINE_CLASS_FRAUD)),
    PointRule("decline.hard", 40, "card lost, stolen or closed", lambda c: _refused_as(c, DECLINE_CLASS_HARD)),
    PointRule(
        "card.velocity",
        30,
        "5 or more attempts on this card for this amount within an hour, as in card testing",
        lambda c: c.tries_within(HOUR_S) >= _CARD_TESTING_TRIES,
    ),
    PointRule("amount.very_high", 25, "about USD 5,000 or more", lambda c: _times_usd_1000(c) >= _VERY_HIGH_AMOUNT),
    PointRule("amount.high", 10, "about USD 1,000 to 5,000", lambda c: 1 <= _times_usd_1000(c) < _VERY_HIGH_AMOUNT),
    PointRule("card.prepaid", 15, "prepaid card", lambda c: c.payment.card_funding == "prepaid"),
    PointRule("card.expired", 15, "card past its expiry date", expired_on),
    PointRule("card.foreign", 10, "card issued where the currency is not used", _foreign_card),
    PointRule("customer.guest", 10, "no known customer", lambda c: not c.payment.customer_id),
    PointRule("payment.recurring", -20, "belongs to a subscription", lambda c: c.payment.recurring),
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
