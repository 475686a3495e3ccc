"""Models that answer as they are told: in memory, and behind a real gRPC server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    Assessment,
    AssessmentItem,
    AssessRequest,
    AssessResponse,
)
from tidegate.inference.v1.assessment_service_pb2_grpc import (
    AssessmentServiceServicer,
    add_AssessmentServiceServicer_to_server,
)
from tidegate.inference.v1.churn_service_pb2 import CHURN_RISK_LOW, PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import FRAUD_DECISION_ALLOW, FraudDecision, ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_NO_MODEL, Provenance
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_NOTIFY,
    RecommendPlanResponse,
    RecoveryStep,
)
from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_RETRY, RecommendStrategyResponse, RetryAction
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_INSUFFICIENT_FUNDS

from services.runtime.clock import timestamp
from tests.fakes.times import NOW


def provenance(rules: str) -> Provenance:
    """An answer by rules."""
    return Provenance(
        model_name=rules,
        model_version="1",
        fallback=True,
        fallback_cause=FALLBACK_CAUSE_NO_MODEL,
        predicted_at=timestamp(NOW),
    )


def assess(
    item: AssessmentItem,
    *,
    fraud: FraudDecision = FRAUD_DECISION_ALLOW,
    retry: RetryAction = RETRY_ACTION_RETRY,
) -> Assessment:
    """Answers to exactly the questions asked."""
    answers: dict[int, tuple[str, Any]] = {
        QUESTION_FRAUD: (
            "fraud",
            ScoreResponse(fraud_probability=0.1, decision=fraud, provenance=provenance("fraud-rules")),
        ),
        QUESTION_RETRY: (
            "retry",
            RecommendStrategyResponse(
                action=retry,
                retry_at=timestamp(NOW) if retry == RETRY_ACTION_RETRY else None,
                decline_class=DECLINE_CLASS_INSUFFICIENT_FUNDS,
                attempts_left=3,
                network_rule="visa.attempts",
                provenance=provenance("retry-rules"),
            ),
        ),
        QUESTION_CHURN: (
            "churn",
            PredictResponse(
                churn_probability=0.2, risk=CHURN_RISK_LOW, horizon_days=30, provenance=provenance("churn-rules")
            ),
        ),
        QUESTION_RECOVERY: (
            "recovery",
            RecommendPlanResponse(
                steps=[RecoveryStep(kind=RECOVERY_STEP_KIND_NOTIFY, not_before=timestamp(NOW))],
                provenance=provenance("recovery-rules"),
            ),
        ),
    }
    return Assessment(payment_id=item.payment.payment_id, **dict(answers[question] for question in item.questions))


@dataclass
class FakeScoring:
    """Scoring in memory. Raises its failures one by one before it answers."""

    failures: list[Exception] = field(default_factory=list)
    asked: list[AssessmentItem] = field(default_factory=list)

    async def assess(self, items: Sequence[AssessmentItem]) -> Sequence[Assessment]:
        """Answers in the order of the items."""
        self.asked += items
        if self.failures:
            raise self.failures.pop(0)
        return [assess(item) for item in items]


class InferenceServer(AssessmentServiceServicer):
    """Answers over gRPC; can be told to fail, and keeps the metadata of each call."""

    def __init__(self) -> None:
        self.status: grpc.StatusCode | None = None
        self.health = health_pb2.HealthCheckResponse.SERVING
        self.delay_seconds = 0.0
        self.broken: Assessment | None = None
        self.metadata: list[dict[str, str]] = []
        self.calls: list[AssessRequest] = []

    async def Assess(self, request: AssessRequest, context: Any) -> AssessResponse:  # noqa: N802 - gRPC's name
        """Answer each item's questions, or what it was told to."""
        self.calls.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        await asyncio.sleep(self.delay_seconds)
        if self.status is not None:
            await context.abort(self.status, "as told")
        if self.broken is not None:
            return AssessResponse(assessments=[self.broken])
        return AssessResponse(assessments=[assess(item) for item in request.items])


class _Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # comes without types
    """Is away exactly when the models are."""

    def __init__(self, inference: InferenceServer) -> None:
        self._inference = inference

    async def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:  # noqa: N802 - gRPC's name
        del request
        if self._inference.status == grpc.StatusCode.UNAVAILABLE:
            await context.abort(self._inference.status, "as told")
        return health_pb2.HealthCheckResponse(status=self._inference.health)


@asynccontextmanager
async def serving(inference: InferenceServer, port: int = 0) -> AsyncIterator[str]:
    """Serve on loopback; yields host:port."""
    server = grpc.aio.server()
    add_AssessmentServiceServicer_to_server(inference, server)
    health_pb2_grpc.add_HealthServicer_to_server(_Health(inference), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        await server.stop(None)
