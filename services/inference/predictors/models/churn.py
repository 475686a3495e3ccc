"""Predicts churn by a trained model, and by rules where the model cannot be asked or was not made for the question."""

from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.churn_service_pb2 import (
    CHURN_RISK_HIGH,
    CHURN_RISK_LOW,
    CHURN_RISK_MEDIUM,
    ChurnRisk,
    PredictResponse,
)
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_NOT_COVERED, FallbackCause

from services.inference.case import Case
from services.inference.ports import ChurnPredictor
from services.inference.predictors.models.inputs import Inputs
from services.inference.predictors.models.port import ModelPort, Verdict
from services.inference.predictors.models.served import Outcome, ServedModel, UnfitModelError

MEDIUM: Final = "medium"
HIGH: Final = "high"
THRESHOLDS: Final = (MEDIUM, HIGH)


class ChurnInputs(Inputs):
    """Of known customers alone: nobody learned who leaves from payments that nobody is known to have made."""

    def obstacle(self, case: Case) -> "FallbackCause":
        """As of any model; and a guest is not covered."""
        return super().obstacle(case) if case.payment.customer_id else FALLBACK_CAUSE_NOT_COVERED


class ServedChurn(ServedModel):
    """A churn model with the horizon that it was taught. UnfitModelError where it does not say which."""

    def __init__(self, model: ModelPort) -> None:
        super().__init__(model, ChurnInputs(model.features))
        horizon_days = model.metadata.get("horizon_days")
        if not isinstance(horizon_days, int) or horizon_days <= 0:
            raise UnfitModelError("it does not say of how many days it is (horizon_days); train it again")
        self.horizon_days = horizon_days


class ChurnModel:
    """ChurnPredictor by one version of a model. Its thresholds are those of the artifact.

    It knows one horizon. For another one would have to assume that customers leave at one rate over time, and most of
    those whom it can tell apart leave within days of a failed payment: so rules answer, and say that it is not covered.
    """

    def __init__(self, served: ServedChurn, rules: ChurnPredictor) -> None:
        self._served = served
        self._rules = rules
        self._medium, self._high = (served.model.thresholds[name] for name in THRESHOLDS)

    def predict(self, cases: Sequence[Case], horizons_days: Sequence[int], at: Timestamp) -> list[PredictResponse]:
        """One prediction for each payment's customer."""
        own = self._served.horizon_days
        asked = list(zip(cases, horizons_days, strict=True))
        outcomes = iter(self._served.outcomes([case for case, days in asked if days == own]))
        return [
            self._answer(case, days, next(outcomes) if days == own else Outcome(None, FALLBACK_CAUSE_NOT_COVERED), at)
            for case, days in asked
        ]

    def _answer(self, case: Case, horizon_days: int, outcome: Outcome, at: Timestamp) -> PredictResponse:
        if outcome.verdict is not None:
            return self._by_model(case, outcome.verdict, at)
        (answer,) = self._rules.predict([case], [horizon_days], at)
        self._served.fell_back(answer.provenance, case, outcome.cause)
        return answer

    def _by_model(self, case: Case, verdict: Verdict, at: Timestamp) -> PredictResponse:
        answer = PredictResponse(
            churn_probability=verdict.probability,
            risk=self._risk(verdict.probability),
            horizon_days=self._served.horizon_days,
            reasons=verdict.reasons,
            medium_threshold=self._medium,
            high_threshold=self._high,
        )
        self._served.sign(answer.provenance, case, at)
        return answer

    def _risk(self, probability: float) -> "ChurnRisk":
        if probability >= self._high:
            return CHURN_RISK_HIGH
        return CHURN_RISK_MEDIUM if probability >= self._medium else CHURN_RISK_LOW
