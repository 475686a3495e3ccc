"""Scores fraud by a trained model, and by rules where the model cannot be asked."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.fraud_service_pb2 import (
    FRAUD_DECISION_ALLOW,
    FRAUD_DECISION_BLOCK,
    FRAUD_DECISION_REVIEW,
    FraudDecision,
    ScoreResponse,
)
from tidegate.inference.v1.payment_context_pb2 import FallbackCause

from services.inference.case import Case
from services.inference.ports import FraudPredictor
from services.inference.predictors.models.port import Verdict
from services.inference.predictors.models.served import ServedModel

REVIEW = "review"
DECLINE = "decline"
THRESHOLDS = (REVIEW, DECLINE)


class FraudModel:
    """FraudPredictor by one version of a model. Its thresholds are those of the artifact."""

    def __init__(self, served: ServedModel, rules: FraudPredictor) -> None:
        self._served = served
        self._rules = rules
        self._review, self._block = (served.model.thresholds[name] for name in THRESHOLDS)

    def score(self, cases: Sequence[Case], at: Timestamp) -> list[ScoreResponse]:
        """One score for each payment."""
        outcomes = self._served.outcomes(cases)
        return [
            self._by_rules(case, cause, at) if verdict is None else self._by_model(case, verdict, at)
            for case, (verdict, cause) in zip(cases, outcomes, strict=True)
        ]

    def _by_model(self, case: Case, verdict: Verdict, at: Timestamp) -> ScoreResponse:
        answer = ScoreResponse(
            fraud_probability=verdict.probability,
            decision=self._decision(verdict.probability),
            review_threshold=self._review,
            block_threshold=self._block,
            reasons=verdict.reasons,
        )
        self._served.sign(answer.provenance, case, at)
        return answer

    def _by_rules(self, case: Case, cause: "FallbackCause", at: Timestamp) -> ScoreResponse:
        (answer,) = self._rules.score([case], at)
        self._served.fell_back(answer.provenance, case, cause)
        return answer

    def _decision(self, probability: float) -> "FraudDecision":
        if probability >= self._block:
            return FRAUD_DECISION_BLOCK
        return FRAUD_DECISION_REVIEW if probability >= self._review else FRAUD_DECISION_ALLOW
