"""Takes requests of either protocol to the handler: tells the time, slices batches, counts the answers."""

import asyncio
from collections.abc import Sequence
from typing import Literal

from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import Counter
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    AssessmentItem,
    AssessRequest,
    AssessResponse,
    Question,
)
from tidegate.inference.v1.churn_service_pb2 import PredictRequest, PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import ScoreRequest, ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import FallbackCause, Provenance
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanRequest, RecommendPlanResponse
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyRequest, RecommendStrategyResponse

from services.inference.handler import Handler
from services.runtime.clock import Clock, timestamp
from services.runtime.metrics import counter

QuestionName = Literal["fraud", "retry", "churn", "recovery"]
QUESTIONS: tuple[QuestionName, ...] = ("fraud", "retry", "churn", "recovery")
_QUESTION_NAMES: dict[Question, QuestionName] = dict(
    zip((QUESTION_FRAUD, QUESTION_RETRY, QUESTION_CHURN, QUESTION_RECOVERY), QUESTIONS, strict=True)
)

# A batch is answered in slices of about a millisecond. Between them other calls get their turn, and a call whose client
# has gone away or whose deadline has passed is cancelled.
SLICE = 20


class Desk:
    """One method for each RPC. Answers are the handler's; requests have been checked."""

    def __init__(self, handler: Handler, clock: Clock) -> None:
        self._handler = handler
        self._clock = clock
        self._counters: dict[tuple[QuestionName, str, bool, int], Counter] = {}

    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """FraudService.Score."""
        answer = self._handler.score([request.payment], self._now())[0]
        self._count("fraud", answer.provenance)
        return answer

    async def recommend(self, request: RecommendStrategyRequest) -> RecommendStrategyResponse:
        """RetryService.RecommendStrategy."""
        answer = self._handler.recommend([request.payment], self._now())[0]
        self._count("retry", answer.provenance)
        return answer

    async def predict(self, request: PredictRequest) -> PredictResponse:
        """ChurnService.Predict."""
        answer = self._handler.predict([request], self._now())[0]
        self._count("churn", answer.provenance)
        return answer

    async def plan(self, request: RecommendPlanRequest) -> RecommendPlanResponse:
        """RecoveryService.RecommendPlan."""
        answer = self._handler.plan([request.payment], self._now())[0]
        self._count("recovery", answer.provenance)
        return answer

    async def assess(self, request: AssessRequest) -> AssessResponse:
        """AssessmentService.Assess; stops between slices when it is cancelled."""
        now = self._now()
        response = self._assess(request.items[:SLICE], now)
        for start in range(SLICE, len(request.items), SLICE):
            await asyncio.sleep(0)
            response.MergeFrom(self._assess(request.items[start : start + SLICE], now))
        return response

    def _assess(self, items: Sequence[AssessmentItem], now: Timestamp) -> AssessResponse:
        response = self._handler.assess(items, now)
        for item, assessment in zip(items, response.assessments, strict=True):
            for question in item.questions:
                name = _QUESTION_NAMES[question]
                self._count(name, getattr(assessment, name).provenance)
        return response

    def _now(self) -> Timestamp:
        return timestamp(self._clock.now())

    def _count(self, question: QuestionName, made_by: Provenance) -> None:
        key = (question, made_by.model_name, made_by.fallback, made_by.fallback_cause)
        child = self._counters.get(key)
        if child is None:
            fallback = "true" if made_by.fallback else "false"
            cause = FallbackCause.Name(made_by.fallback_cause).removeprefix("FALLBACK_CAUSE_").lower()
            child = counter("tidegate_predictions_total").labels(question, made_by.model_name, fallback, cause)
            self._counters[key] = child
        child.inc()
