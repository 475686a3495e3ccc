"""Answers questions about payments from the predictors' answers, with the network guard as the last step. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

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
from services.inference.ports import ChurnPredictor, FraudPredictor, RecoveryPredictor, RetryPredictor

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
        return self._plan(cases, self._recommend(cases, at), at)

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
        if fraud := asked[QUESTION_FRAUD]:
            _hand_out(response, "fraud", fraud, self._predictors.fraud.score(_pick(cases, fraud), at))
        if churn := asked[QUESTION_CHURN]:
            horizons = [DEFAULT_HORIZON_DAYS] * len(churn)
            _hand_out(response, "churn", churn, self._predictors.churn.predict(_pick(cases, churn), horizons, at))
        self._assess_failures(response, cases, asked[QUESTION_RETRY], asked[QUESTION_RECOVERY], at)
        return response

    def _assess_failures(
        self, response: AssessResponse, cases: Sequence[Case], retry: list[int], recovery: list[int], at: Timestamp
    ) -> None:
        """Retry and recovery: the plan is made from the same guarded strategy that is answered."""
        if not (retry or recovery):
            return
        if not recovery:
            _hand_out(response, "retry", retry, self._recommend(_pick(cases, retry), at))
            return
        either = sorted({*retry, *recovery})
        strategies = dict(zip(either, self._recommend(_pick(cases, either), at), strict=True))
        _hand_out(response, "retry", retry, [strategies[index] for index in retry])
        plans = self._plan(_pick(cases, recovery), [strategies[index] for index in recovery], at)
        _hand_out(response, "recovery", recovery, plans)

    def _recommend(self, cases: Sequence[Case], at: Timestamp) -> list[RecommendStrategyResponse]:
        answers = self._predictors.retry.recommend(cases, at)
        for answer, case in zip(answers, cases, strict=True):
            self._guard.enforce(answer, case)
        return answers

    def _plan(
        self, cases: Sequence[Case], strategies: Sequence[RecommendStrategyResponse], at: Timestamp
    ) -> list[RecommendPlanResponse]:
        plans = self._predictors.recovery.plan(cases, strategies, at)
        for plan, case in zip(plans, cases, strict=True):
            self._guard.enforce_plan(plan, case)
        return plans

    def cases(self, payments: Sequence[PaymentContext], features: Sequence[Features]) -> list[Case]:
        """The payments as predictors see them."""
        looked_up = features or [NOT_READ] * len(payments)
        return [self._reader.read(payment, each) for payment, each in zip(payments, looked_up, strict=True)]


def _hand_out(response: AssessResponse, field: str, indexes: Sequence[int], answers: Sequence[Message]) -> None:
    """Put the answers to one question into the assessments that asked it."""
    for index, answer in zip(indexes, answers, strict=True):
        getattr(response.assessments[index], field).CopyFrom(answer)


def _pick(cases: Sequence[Case], indexes: Sequence[int]) -> Sequence[Case]:
    return cases if len(indexes) == len(cases) else [cases[index] for index in indexes]
