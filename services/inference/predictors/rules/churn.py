"""Predicts churn by a table of points over what a single payment shows."""

from collections.abc import Sequence
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.churn_service_pb2 import (
    CHURN_RISK_HIGH,
    CHURN_RISK_LOW,
    CHURN_RISK_MEDIUM,
    ChurnRisk,
    PredictResponse,
)
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from services.inference.case import Case
from services.inference.predictors.rules.card import expired_on
from services.inference.predictors.rules.points import PointRule, PointTable
from services.inference.predictors.rules.provenance import rules_provenance
from services.inference.rules import HOUR_S

NAME = "churn-rules"
VERSION = "1"
MEDIUM_THRESHOLD = 0.25
HIGH_THRESHOLD = 0.5

_BASE = 5
_TRIES_WINDOW_S = 14 * 24 * HOUR_S
_TWICE = 2
_MANY = 4
_SOON_DAYS = 30

# What a failed payment of each class says about the customer leaving, unwillingly for the most part: the harder it is
# to collect without the customer's help, the more points.
_POINTS_BY_DECLINE = {
    "HARD": 45,
    "CARD_DATA": 30,
    "NOT_PERMITTED": 30,
    "FRAUD": 25,
    "INSUFFICIENT_FUNDS": 25,
    "GENERIC": 20,
    "UNKNOWN": 20,
    "AUTHENTICATION": 15,
    "TRANSIENT": 5,
}


def _failed_as(decline_class: int, case: Case) -> bool:
    return case.failed and case.decline_class == decline_class


def _tries_between(least: int, below: float, case: Case) -> bool:
    return case.failed and least <= case.tries_within(_TRIES_WINDOW_S) < below


RULES = (
    *(
        PointRule(
            f"decline.{name.lower()}",
            points,
            f"payment failed, decline class {name.lower()}",
            partial(_failed_as, DeclineClass.Value(f"DECLINE_CLASS_{name}")),
        )
        for name, points in _POINTS_BY_DECLINE.items()
    ),
    PointRule("tries.many", 25, "fourth or later try in 14 days", partial(_tries_between, _MANY, float("inf"))),
    PointRule("tries.repeated", 10, "second or third try in 14 days", partial(_tries_between, _TWICE, _MANY)),
    PointRule("card.expires_soon", 15, "card expires within 30 days", partial(expired_on, days_later=_SOON_DAYS)),
    PointRule("customer.guest", 10, "no known customer", lambda c: not c.payment.customer_id),
)


class ChurnRules:
    """ChurnPredictor by the points table. The horizon is echoed: rules know no time."""

    def __init__(self) -> None:
        self._table = PointTable(RULES, base=_BASE)
        self._blank = PredictResponse(provenance=rules_provenance(NAME, VERSION))

    def predict(self, cases: Sequence[Case], horizons_days: Sequence[int], at: Timestamp) -> list[PredictResponse]:
        """One prediction for each payment's customer."""
        return [self._predict(case, days, at) for case, days in zip(cases, horizons_days, strict=True)]

    def _predict(self, case: Case, horizon_days: int, at: Timestamp) -> PredictResponse:
        answer = PredictResponse()
        answer.CopyFrom(self._blank)
        score, reasons = self._table.judge(case)
        answer.churn_probability = score
        answer.risk = _risk(score)
        answer.horizon_days = horizon_days
        answer.reasons.extend(reasons)
        answer.provenance.predicted_at.CopyFrom(at)
        return answer


def _risk(score: float) -> "ChurnRisk":
    if score >= HIGH_THRESHOLD:
        return CHURN_RISK_HIGH
    return CHURN_RISK_MEDIUM if score >= MEDIUM_THRESHOLD else CHURN_RISK_LOW
