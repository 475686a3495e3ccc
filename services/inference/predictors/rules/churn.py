"""Predicts churn by a table of points over what a single payment shows."""

from collections.abc import Sequence

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
    DeclineClass,
)

from services.inference.case import Case
from services.inference.predictors.rules.card import expired
from services.inference.predictors.rules.points import PointRule, PointTable, Question, holds
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


def _by_decline(decline_class: "DeclineClass", points: int) -> PointRule:
    name = DeclineClass.Name(decline_class).removeprefix("DECLINE_CLASS_").lower()
    return PointRule(f"decline.{name}", points, f"payment failed, decline class {name}")


def _tries(case: Case) -> str:
    tries = case.tries_within(_TRIES_WINDOW_S) if case.failed else 0
    if tries < _REPEATED:
        return "none"
    return "many" if tries >= _MANY else "repeated"


RULES = (
    Question(
        lambda case: case.decline_class if case.failed else None,
        {each: _by_decline(each, points) for each, points in _POINTS_BY_DECLINE.items()},
    ),
    Question(
        _tries,
        {
            "many": PointRule("tries.many", 25, "fourth or later try in 14 days"),
            "repeated": PointRule("tries.repeated", 10, "second or third try in 14 days"),
        },
    ),
    holds(lambda case: expired(case, _SOON_DAYS), "card.expires_soon", 15, "card expires within 30 days"),
    holds(lambda case: not case.payment.customer_id, "customer.guest", 10, "no known customer"),
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
