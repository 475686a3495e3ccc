"""Scores fraud by a table of points over what a single payment shows."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.fraud_service_pb2 import (
    FRAUD_DECISION_ALLOW,
    FRAUD_DECISION_BLOCK,
    FRAUD_DECISION_REVIEW,
    FraudDecision,
    ScoreResponse,
)
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE, PROVIDER_UNSPECIFIED
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_HARD,
    DECLINE_CLASS_UNSPECIFIED,
)

from mlops.features.currencies import ABOUT_USD_1000, HOME_COUNTRIES
from services.inference.case import Case
from services.inference.predictors.rules.card import expired
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
# In multiples of about USD 1,000.
_HIGH_AMOUNT = 1
_VERY_HIGH_AMOUNT = 5
_CARD_TESTING_TRIES = 5
_ANSWERS_KEPT = 4096


class FraudFacts(NamedTuple):
    """What the rules look at. Few values each, so that answers to the same facts are made once."""

    provider_risk: str
    decline_class: int
    card_testing: bool
    amount: str
    prepaid: bool
    expired: bool
    foreign: bool
    guest: bool
    recurring: bool


RULES = (
    PointRule("provider_risk", "highest", "provider_risk.highest", 60, "risk score of the provider 75 or more"),
    PointRule("provider_risk", "elevated", "provider_risk.elevated", 35, "risk score of the provider 65 to 74"),
    PointRule("decline_class", DECLINE_CLASS_FRAUD, "decline.fraud", 60, "declined as suspected fraud"),
    PointRule("decline_class", DECLINE_CLASS_HARD, "decline.hard", 40, "card lost, stolen or closed"),
    PointRule(
        "card_testing",
        True,
        "card.velocity",
        30,
        "5 or more attempts on this card for this amount within an hour, as in card testing",
    ),
    PointRule("amount", "very_high", "amount.very_high", 25, "about USD 5,000 or more"),
    PointRule("amount", "high", "amount.high", 10, "about USD 1,000 to 5,000"),
    PointRule("prepaid", True, "card.prepaid", 15, "prepaid card"),
    PointRule("expired", True, "card.expired", 15, "card past its expiry date"),
    PointRule("foreign", True, "card.foreign", 10, "card issued where the currency is not used"),
    PointRule("guest", True, "customer.guest", 10, "no known customer"),
    PointRule("recurring", True, "payment.recurring", -20, "belongs to a subscription"),
)


class FraudRules:
    """FraudPredictor by the points table."""

    def __init__(self) -> None:
        self._table = PointTable(RULES)
        self._provenance = rules_provenance(NAME, VERSION)
        self._answer_to = lru_cache(maxsize=_ANSWERS_KEPT)(self._make)

    def score(self, cases: Sequence[Case], at: Timestamp) -> list[ScoreResponse]:
        """One score for each payment."""
        answers = []
        for case in cases:
            answer = ScoreResponse()
            answer.CopyFrom(self._answer_to(_facts(case)))
            answer.provenance.predicted_at.CopyFrom(at)
            answers.append(answer)
        return answers

    def _make(self, facts: FraudFacts) -> ScoreResponse:
        score, reasons = self._table.judge(facts)
        return ScoreResponse(
            fraud_probability=score,
            decision=_decision(score),
            review_threshold=REVIEW_THRESHOLD,
            block_threshold=BLOCK_THRESHOLD,
            reasons=reasons,
            provenance=self._provenance,
        )


def _facts(case: Case) -> FraudFacts:
    payment = case.payment
    currency, country = payment.currency, payment.card_country
    return FraudFacts(
        provider_risk=_provider_risk(payment),
        decline_class=case.decline_class if case.failed else DECLINE_CLASS_UNSPECIFIED,
        card_testing=case.tries_within(HOUR_S) >= _CARD_TESTING_TRIES,
        amount=_height(payment.amount_cents, currency),
        prepaid=payment.card_funding == "prepaid",
        expired=expired(case),
        foreign=country != "" and country not in HOME_COUNTRIES.get(currency, (country,)),
        guest=not payment.customer_id,
        recurring=payment.recurring,
    )


def _provider_risk(payment: PaymentContext) -> str:
    """The provider's risk score where it is on Radar's scale."""
    score = payment.provider_risk_score
    if score < _ELEVATED_RISK or payment.provider not in {PROVIDER_STRIPE, PROVIDER_UNSPECIFIED}:
        return "none"
    return "highest" if score >= _HIGHEST_RISK else "elevated"


def _height(amount_cents: int, currency: str) -> str:
    """How high an amount is for its currency; none where the currency is not judged."""
    thousand = ABOUT_USD_1000.get(currency)
    if thousand is None or amount_cents < thousand * _HIGH_AMOUNT:
        return "none"
    return "very_high" if amount_cents >= thousand * _VERY_HIGH_AMOUNT else "high"


def _decision(score: float) -> "FraudDecision":
    if score >= BLOCK_THRESHOLD:
        return FRAUD_DECISION_BLOCK
    return FRAUD_DECISION_REVIEW if score >= REVIEW_THRESHOLD else FRAUD_DECISION_ALLOW
