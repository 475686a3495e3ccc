"""Takes requests of either protocol to what answers: tells the time, looks features up, slices batches, counts."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

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
from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_FEATURES_UNAVAILABLE,
    FallbackCause,
    PaymentContext,
    Provenance,
)
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanRequest, RecommendPlanResponse
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyRequest, RecommendStrategyResponse

from mlops.features.facts import PaymentFact, asked_fact, microseconds
from services.inference.features import NOT_READ, EntityKey, Features, Found, features_of, keys_of
from services.inference.journal import Answer, Journal, Told
from services.inference.serving import MODELS, QUESTIONS, QuestionName, Serving
from services.runtime.clock import Clock, timestamp
from services.runtime.metrics import counter

_QUESTION_NAMES: dict[Question, QuestionName] = dict(
    zip((QUESTION_FRAUD, QUESTION_RETRY, QUESTION_CHURN, QUESTION_RECOVERY), QUESTIONS, strict=True)
)

# A batch is answered in slices of about a millisecond. Between them other calls get their turn, and a call whose client
# has gone away or whose deadline has passed is cancelled.
SLICE = 20


class FeatureReader(Protocol):
    """Looks entities up. A caller must not assume that it gets them: then it gets the cause, and no error."""

    async def read(self, keys: Sequence[EntityKey], time_left: float | None = None) -> "Found | FallbackCause":
        """All of them at once, within a deadline of its own and before `time_left` seconds are over."""
        ...


class LookUp(NamedTuple):
    """What was looked up for one call; a payment without a fact was not asked about."""

    facts: Sequence[PaymentFact | None]
    found: "Found | FallbackCause"

    def features(self, start: int, end: int) -> Sequence[Features]:
        """Those of a slice of the payments."""
        return [NOT_READ if fact is None else features_of(fact, self.found) for fact in self.facts[start:end]]


class Desk:
    """One method for each RPC, with the seconds that its caller still waits. Requests have been checked."""

    def __init__(
        self,
        serving: Callable[[], Serving],
        clock: Clock,
        reader: FeatureReader | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._serving = serving
        self._clock = clock
        # Connected on the loop that serves, after the desk is made.
        self.reader = reader
        self.journal = journal
        self._counters: dict[tuple[QuestionName, str, bool, int], Counter] = {}

    async def score(self, request: ScoreRequest, time_left: float | None = None) -> ScoreResponse:
        """FraudService.Score."""
        serving, now = self._serving(), self._now()
        features = await self._features_of(serving, "fraud", request.payment, now, time_left)
        answer = serving.handler.score([request.payment], now, features)[0]
        self._tell("fraud", answer, serving, request.payment, features[0])
        return answer

    async def recommend(
        self, request: RecommendStrategyRequest, time_left: float | None = None
    ) -> RecommendStrategyResponse:
        """RetryService.RecommendStrategy."""
        serving, now = self._serving(), self._now()
        features = await self._features_of(serving, "retry", request.payment, now, time_left)
        answer = serving.handler.recommend([request.payment], now, features)[0]
        self._tell("retry", answer, serving, request.payment, features[0])
        return answer

    async def predict(self, request: PredictRequest, time_left: float | None = None) -> PredictResponse:
        """ChurnService.Predict."""
        serving, now = self._serving(), self._now()
        features = await self._features_of(serving, "churn", request.payment, now, time_left)
        answer = serving.handler.predict([request], now, features)[0]
        self._tell("churn", answer, serving, request.payment, features[0])
        return answer

    async def plan(self, request: RecommendPlanRequest, time_left: float | None = None) -> RecommendPlanResponse:
        """RecoveryService.RecommendPlan."""
        serving, now = self._serving(), self._now()
        features = await self._features_of(serving, "recovery", request.payment, now, time_left)
        answer = serving.handler.plan([request.payment], now, features)[0]
        self._tell("recovery", answer, serving, request.payment, features[0])
        return answer

    async def assess(self, request: AssessRequest, time_left: float | None = None) -> AssessResponse:
        """AssessmentService.Assess; stops between slices when it is cancelled."""
        serving, now = self._serving(), self._now()
        payments = [item.payment for item in request.items]
        asked = [_asked(item) for item in request.items] if serving.models else ()
        look_up = await self._look_up(serving, payments, asked, now, time_left)
        response = self._assess(serving, request.items[:SLICE], now, look_up.features(0, SLICE))
        for start in range(SLICE, len(request.items), SLICE):
            await asyncio.sleep(0)
            end = start + SLICE
            response.MergeFrom(self._assess(serving, request.items[start:end], now, look_up.features(start, end)))
        return response

    def _assess(
        self, serving: Serving, items: Sequence[AssessmentItem], now: Timestamp, features: Sequence[Features]
    ) -> AssessResponse:
        response = serving.handler.assess(items, now, features)
        for item, assessment, each in zip(items, response.assessments, features, strict=True):
            for name in _asked(item):
                self._tell(name, getattr(assessment, name), serving, item.payment, each)
        return response

    async def _features_of(
        self, serving: Serving, question: QuestionName, payment: PaymentContext, now: Timestamp, time_left: float | None
    ) -> Sequence[Features]:
        return (await self._look_up(serving, [payment], [(question,)], now, time_left)).features(0, 1)

    async def _look_up(
        self,
        serving: Serving,
        payments: Sequence[PaymentContext],
        asked: Sequence[Collection[QuestionName]],
        now: Timestamp,
        time_left: float | None,
    ) -> LookUp:
        """In one round trip, for those payments that a model is asked about; in none where none is."""
        if not serving.models:
            return LookUp([None] * len(payments), FALLBACK_CAUSE_FEATURES_UNAVAILABLE)
        now_us = microseconds(now)
        facts = [
            asked_fact(payment, now_us) if serving.looks_up(names) else None
            for payment, names in zip(payments, asked, strict=True)
        ]
        wanted = [fact for fact in facts if fact is not None]
        if not wanted or self.reader is None:
            return LookUp(facts, FALLBACK_CAUSE_FEATURES_UNAVAILABLE)
        return LookUp(facts, await self.reader.read(keys_of(wanted), time_left))

    def _now(self) -> Timestamp:
        return timestamp(self._clock.now())

    def _tell(
        self, question: QuestionName, answer: Answer, serving: Serving, payment: PaymentContext, features: Features
    ) -> None:
        """Count an answer, and leave it to the journal where models were to make it."""
        self._count(question, answer.provenance)
        if self.journal is not None and question in MODELS and serving.models:
            self.journal.note(Told(question, serving, payment, features, answer))

    def _count(self, question: QuestionName, made_by: Provenance) -> None:
        key = (question, made_by.model_name, made_by.fallback, made_by.fallback_cause)
        child = self._counters.get(key)
        if child is None:
            fallback = "true" if made_by.fallback else "false"
            cause = FallbackCause.Name(made_by.fallback_cause).removeprefix("FALLBACK_CAUSE_").lower()
            child = counter("tidegate_predictions_total").labels(question, made_by.model_name, fallback, cause)
            self._counters[key] = child
        child.inc()


def _asked(item: AssessmentItem) -> Collection[QuestionName]:
    return [_QUESTION_NAMES[question] for question in item.questions]
