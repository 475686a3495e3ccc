"""Answers questions about payments from the predictors' answers, with the network guard as the last step. Pure."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    Assessment,
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
        """The answer of AssessmentService.Assess: each predictor is asked once for all the items that ask alike."""
        cases = self.cases([item.payment for item in items], features)
        alike: defaultdict[tuple[Question, ...], list[int]] = defaultdict(list)
        response = AssessResponse()
        for index, item in enumerate(items):
            response.assessments.add().payment_id = item.payment.payment_id
            alike[tuple(item.questions)].append(index)
        for questions, indexes in alike.items():
            assessments = [response.assessments[index] for index in indexes]
            self._answer(questions, _pick(cases, indexes), at, assessments)
        return response

    def _answer(
        self, questions: Collection[Question], cases: Sequence[Case], at: Timestamp, assessments: Sequence[Assessment]
    ) -> None:
        """Put the answers to these questions about each case into its assessment."""
        planned = QUESTION_RECOVERY in questions  # of the other answers: they are found, whether or not they are asked
        fraud = self._predictors.fraud.score(cases, at) if planned or QUESTION_FRAUD in questions else ()
        churn = self._churn(cases, at) if planned or QUESTION_CHURN in questions else ()
        retry = self._recommend(cases, at) if planned or QUESTION_RETRY in questions else ()
        if planned:
            known = [Answers(*each) for each in zip(retry, fraud, churn, strict=True)]
            _hand_out(assessments, "recovery", self._plan(cases, known, at))
        if QUESTION_FRAUD in questions:
            _hand_out(assessments, "fraud", fraud)
        if QUESTION_CHURN in questions:
            _hand_out(assessments, "churn", churn)
        if QUESTION_RETRY in questions:
            _hand_out(assessments, "retry", retry)

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


def _hand_out(assessments: Sequence[Assessment], field: str, answers: Sequence[Message]) -> None:
    for assessment, answer in zip(assessments, answers, strict=True):
        getattr(assessment, field).CopyFrom(answer)


def _pick(cases: Sequence[Case], indexes: Sequence[int]) -> Sequence[Case]:
    return cases if len(indexes) == len(cases) else [cases[index] for index in indexes]
