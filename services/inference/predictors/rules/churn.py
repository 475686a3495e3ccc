"""Predicts churn by a table of points over what a single payment shows."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.churn_service_pb2 import (
    CHURN_RISK_HIGH,
    CHURN_RISK_LOW,
    CHURN_RISK_MEDIUM,
    ChurnRisk,
    PredictResponse,
)
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_AUTHENTICATION,
    DECLINE_CLASS_CARD_DATA,
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_GENERIC,
    DECLINE_CLASS_HARD,
    DECLINE_CLASS_INSUFFICIENT_FUNDS,
    DECLINE_CLASS_NOT_PERMITTED,
    DECLINE_CLASS_TRANSIENT,
    DECLINE_CLASS_UNKNOWN,
    DECLINE_CLASS_UNSPECIFIED,
    DeclineClass,
)

from services.inference.case import Case
from services.inference.predictors.rules.card import expired
from services.inference.predictors.rules.points import PointRule, PointTable
from services.inference.predictors.rules.provenance import rules_provenance
from services.inference.rules import HOUR_S

NAME = "churn-rules"
VERSION = "1"
MEDIUM_THRESHOLD = 0.25
HIGH_THRESHOLD = 0.5

_BASE = 5
_TRIES_WINDOW_S = 14 * 24 * HOUR_S
_REPEATED = 2
_MANY = 4
_SOON_DAYS = 30
_ANSWERS_KEPT = 1024

# What a failed payment of each class says about the customer leaving, unwillingly for the most part: the harder it is
# to collect without the customer's help, the more points.
_POINTS_BY_DECLINE = {
    DECLINE_CLASS_HARD: 45,
    DECLINE_CLASS_CARD_DATA: 30,
    DECLINE_CLASS_NOT_PERMITTED: 30,
    DECLINE_CLASS_FRAUD: 25,
    DECLINE_CLASS_INSUFFICIENT_FUNDS: 25,
    DECLINE_CLASS_GENERIC: 20,
    DECLINE_CLASS_UNKNOWN: 20,
    DECLINE_CLASS_AUTHENTICATION: 15,
    DECLINE_CLASS_TRANSIENT: 5,
}


class ChurnFacts(NamedTuple):
    """What the rules look at. Few values each, so that answers to the same facts are made once."""

    decline_class: int
    tries: str
    expires_soon: bool
    guest: bool


def _by_decline(decline_class: "DeclineClass", points: int) -> PointRule:
    name = DeclineClass.Name(decline_class).removeprefix("DECLINE_CLASS_").lower()
    description = f"payment failed, decline class {name}"
    return PointRule("decline_class", decline_class, f"decline.{name}", points, description)


RULES = (
    *(_by_decline(decline_class, points) for decline_class, points in _POINTS_BY_DECLINE.items()),
    PointRule("tries", "many", "tries.many", 25, "fourth or later try in 14 days"),
    PointRule("tries", "repeated", "tries.repeated", 10, "second or third try in 14 days"),
    PointRule("expires_soon", True, "card.expires_soon", 15, "card expires within 30 days"),
    PointRule("guest", True, "customer.guest", 10, "no known customer"),
)


class ChurnRules:
    """ChurnPredictor by the points table. The horizon is echoed: rules know no time."""

    def __init__(self) -> None:
        self._table = PointTable(RULES, base=_BASE)
        self._provenance = rules_provenance(NAME, VERSION)
        self._answer_to = lru_cache(maxsize=_ANSWERS_KEPT)(self._make)

    def predict(self, cases: Sequence[Case], horizons_days: Sequence[int], at: Timestamp) -> list[PredictResponse]:
        """One prediction for each payment's customer."""
        answers = []
        for case, horizon_days in zip(cases, horizons_days, strict=True):
            answer = PredictResponse()
            answer.CopyFrom(self._answer_to(_facts(case)))
            answer.horizon_days = horizon_days
            answer.provenance.predicted_at.CopyFrom(at)
            answers.append(answer)
        return answers

    def _make(self, facts: ChurnFacts) -> PredictResponse:
        score, reasons = self._table.judge(facts)
        return PredictResponse(
            churn_probability=score,
            risk=_risk(score),
            reasons=reasons,
            provenance=self._provenance,
            medium_threshold=MEDIUM_THRESHOLD,
            high_threshold=HIGH_THRESHOLD,
        )


def _facts(case: Case) -> ChurnFacts:
    return ChurnFacts(
        decline_class=case.decline_class if case.failed else DECLINE_CLASS_UNSPECIFIED,
        tries=_tries(case) if case.failed else "none",
        expires_soon=expired(case, _SOON_DAYS),
        guest=not case.payment.customer_id,
    )


def _tries(case: Case) -> str:
    tries = case.tries_within(_TRIES_WINDOW_S)
    if tries < _REPEATED:
        return "none"
    return "many" if tries >= _MANY else "repeated"


def _risk(score: float) -> "ChurnRisk":
    if score >= HIGH_THRESHOLD:
        return CHURN_RISK_HIGH
    return CHURN_RISK_MEDIUM if score >= MEDIUM_THRESHOLD else CHURN_RISK_LOW
