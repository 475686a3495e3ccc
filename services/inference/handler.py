"""Answers questions about payments from the predictors' answers, with the network guard as the last step. Pure."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    AssessmentItem,
    AssessResponse,
    Question,
)
from tidegate.inference.v1.churn_service_pb2 import PredictRequest, PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanResponse
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyResponse

from services.inference.case import Case, CaseReader
from services.inference.features import NOT_READ, Features
from services.inference.guard import NetworkGuard
from services.inference.ports import Answers, ChurnPredictor, FraudPredictor, RecoveryPredictor, RetryPredictor

DEFAULT_HORIZON_DAYS = 30

A = TypeVar("A", bound=Message)


@dataclass(frozen=True, slots=True)
class Predictors:
    """What answers each question."""

    fraud: FraudPredictor
    retry: RetryPredictor
    churn: ChurnPredictor
    recovery: RecoveryPredictor


class Handler:
    """Lists in, lists out, in order. Nothing bears on an answer but the payment, its features and `at`, its moment.

    Features are in the order of the payments, or none at all where nobody looked for any.
    """

    def __init__(self, reader: CaseReader, guard: NetworkGuard, predictors: Predictors) -> None:
        self._reader = reader
        self._guard = guard
        self._predictors = predictors

    def score(
        self, payments: Sequence[PaymentContext], at: Timestamp, features: Sequence[Features] = ()
    ) -> list[ScoreResponse]:
        """Answers of FraudService.Score."""
        return self._predictors.fraud.score(self.cases(payments, features), at)

    def recommend(
        self, payments: Sequence[PaymentContext], at: Timestamp, features: Sequence[Features] = ()
    ) -> list[RecommendStrategyResponse]:
        """Answers of RetryService.RecommendStrategy, inside the networks' rules."""
        return self._recommend(self.cases(payments, features), at)

    def predict(
        self, requests: Sequence[PredictRequest], at: Timestamp, features: Sequence[Features] = ()
    ) -> list[PredictResponse]:
        """Answers of ChurnService.Predict."""
        horizons = [request.horizon_days or DEFAULT_HORIZON_DAYS for request in requests]
        cases = self.cases([request.payment for request in requests], features)
        return self._predictors.churn.predict(cases, horizons, at)

    def plan(
        self, payments: Sequence[PaymentContext], at: Timestamp, features: Sequence[Features] = ()
    ) -> list[RecommendPlanResponse]:
        """Answers of RecoveryService.RecommendPlan, inside the networks' rules."""
        cases = self.cases(payments, features)
        strategies, scores = self._recommend(cases, at), self._predictors.fraud.score(cases, at)
        known = zip(strategies, scores, self._churn(cases, at), strict=True)
        return self._plan(cases, [Answers(*each) for each in known], at)

    def assess(
        self, items: Sequence[AssessmentItem], at: Timestamp, features: Sequence[Features] = ()
    ) -> AssessResponse:
        """The answer of AssessmentService.Assess: each predictor is asked once, for all the items that ask for it."""
        cases = self.cases([item.payment for item in items], features)
        asked: defaultdict[Question, list[int]] = defaultdict(list)
        response = AssessResponse()
        for index, item in enumerate(items):
            response.assessments.add().payment_id = item.payment.payment_id
            for question in item.questions:
                asked[question].append(index)
        recovery = asked[QUESTION_RECOVERY]
        # A plan is made of the other answers: those are found once, whether or not they are asked for too.
        fraud = self._once(
            cases, [asked[QUESTION_FRAUD], recovery], lambda some: self._predictors.fraud.score(some, at)
        )
        churn = self._once(cases, [asked[QUESTION_CHURN], recovery], lambda some: self._churn(some, at))
        retry = self._once(cases, [asked[QUESTION_RETRY], recovery], lambda some: self._recommend(some, at))
        known = [Answers(retry[index], fraud[index], churn[index]) for index in recovery]
        plans = dict(zip(recovery, self._plan(_pick(cases, recovery), known, at), strict=True))
        _hand_out(response, "fraud", asked[QUESTION_FRAUD], fraud)
        _hand_out(response, "churn", asked[QUESTION_CHURN], churn)
        _hand_out(response, "retry", asked[QUESTION_RETRY], retry)
        _hand_out(response, "recovery", recovery, plans)
        return response

    @staticmethod
    def _once(
        cases: Sequence[Case], asked: Sequence[Sequence[int]], answer: Callable[[Sequence[Case]], Sequence[A]]
    ) -> dict[int, A]:
        """Answers for every case that any of these wants one for."""
        wanted = sorted({index for each in asked for index in each})
        return dict(zip(wanted, answer(_pick(cases, wanted)), strict=True)) if wanted else {}

    def _churn(self, cases: Sequence[Case], at: Timestamp) -> list[PredictResponse]:
        return self._predictors.churn.predict(cases, [DEFAULT_HORIZON_DAYS] * len(cases), at)

    def _recommend(self, cases: Sequence[Case], at: Timestamp) -> list[RecommendStrategyResponse]:
        answers = self._predictors.retry.recommend(cases, at)
        for answer, case in zip(answers, cases, strict=True):
            self._guard.enforce(answer, case)
        return answers

    def _plan(self, cases: Sequence[Case], answers: Sequence[Answers], at: Timestamp) -> list[RecommendPlanResponse]:
        plans = self._predictors.recovery.plan(cases, answers, at)
        for plan, case in zip(plans, cases, strict=True):
            self._guard.enforce_plan(plan, case)
        return plans

    def cases(self, payments: Sequence[PaymentContext], features: Sequence[Features]) -> list[Case]:
        """The payments as predictors see them."""
        looked_up = features or [NOT_READ] * len(payments)
        return [self._reader.read(payment, each) for payment, each in zip(payments, looked_up, strict=True)]


def _hand_out(response: AssessResponse, field: str, indexes: Sequence[int], answers: Mapping[int, Message]) -> None:
    """Put the answers to one question into the assessments that asked it."""
    for index in indexes:
        getattr(response.assessments[index], field).CopyFrom(answers[index])


def _pick(cases: Sequence[Case], indexes: Sequence[int]) -> Sequence[Case]:
    return cases if len(indexes) == len(cases) else [cases[index] for index in indexes]
