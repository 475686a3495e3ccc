"""What answers the questions: predictors take lists, so that one call serves a batch as well as an event."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.churn_service_pb2 import PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanResponse
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyResponse

from services.inference.case import Case

# All four ports are synchronous and do no I/O: whatever else is known about a payment is a field of its Case, read by
# the caller once for all questions. Every answer carries its Provenance with `at` as predicted_at; a caller must not
# take a number for a probability where Provenance.fallback is true.


class FraudPredictor(Protocol):
    """Scores payments for fraud. One answer for each case, in order."""

    def score(self, cases: Sequence[Case], at: Timestamp) -> list[ScoreResponse]:
        """Answer FraudService.Score."""
        ...


class RetryPredictor(Protocol):
    """Recommends retries. A caller must not assume that an answer keeps the networks' rules: the guard comes after."""

    def recommend(self, cases: Sequence[Case], at: Timestamp) -> list[RecommendStrategyResponse]:
        """Answer RetryService.RecommendStrategy, for failed payments."""
        ...


class ChurnPredictor(Protocol):
    """Predicts churn. One answer for each case, in order."""

    def predict(self, cases: Sequence[Case], horizons_days: Sequence[int], at: Timestamp) -> list[PredictResponse]:
        """Answer ChurnService.Predict for one horizon (in days, above 0) a case."""
        ...


class Answers(NamedTuple):
    """What the other questions about a payment were answered; the retry strategy is guarded."""

    retry: RecommendStrategyResponse
    fraud: ScoreResponse
    churn: PredictResponse


class RecoveryPredictor(Protocol):
    """Makes recovery plans. A caller must not assume that a plan keeps the networks' rules: the guard comes after."""

    def plan(self, cases: Sequence[Case], answers: Sequence[Answers], at: Timestamp) -> list[RecommendPlanResponse]:
        """Answer RecoveryService.RecommendPlan, given the other answers about each case."""
        ...
