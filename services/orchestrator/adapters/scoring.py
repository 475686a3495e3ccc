"""Asks the inference service over gRPC, all questions about the given payments in one call; sees when it is away."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tidegate.inference.v1.assessment_service_pb2 import (
    DESCRIPTOR,
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    Assessment,
    AssessmentItem,
    AssessRequest,
    AssessResponse,
)
from tidegate.inference.v1.assessment_service_pb2_grpc import AssessmentServiceStub

from services.orchestrator.adapters.correlation import outgoing_headers
from services.orchestrator.outage import Outage
from services.orchestrator.settings import InferenceSettings
from services.runtime import contract
from workflows.errors import ScoringOutageError, ScoringRefusedError, ScoringUnavailableError

_ANSWERS: Final = {
    QUESTION_FRAUD: "fraud",
    QUESTION_RETRY: "retry",
    QUESTION_CHURN: "churn",
    QUESTION_RECOVERY: "recovery",
}
# gRPC waits up to two minutes between attempts to reconnect by default: far longer than a restart takes.
_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
)
# The same question would get the same answer.
_SERVICE: Final = DESCRIPTOR.services_by_name["AssessmentService"].full_name
_HEALTH_SECONDS: Final = 2.0
# What a health check tells of a server that is not there, or hangs; any other status is a sign of life.
_AWAY: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
_REFUSALS: Final = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.OUT_OF_RANGE}


class GrpcScoring:
    """Scoring over one channel; a call that takes longer than the deadline counts as unavailable."""

    def __init__(self, settings: InferenceSettings, outage: Outage) -> None:
        """Notes in `outage` when the service is not there."""
        self._outage = outage
        self._channel = _channel(settings)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._stub = AssessmentServiceStub(self._channel)
        self._timeout_seconds = settings.inference_timeout_ms / 1000

    async def assess(self, items: Sequence[AssessmentItem]) -> Sequence[Assessment]:
        """Answers in the order of the items, each checked for being complete and on contract."""
        metadata = tuple(outgoing_headers().items())
        try:
            response: AssessResponse = await self._stub.Assess(
                AssessRequest(items=items), timeout=self._timeout_seconds, metadata=metadata
            )
        except grpc.aio.AioRpcError as error:
            # Only the code: a status's text is the other side's.
            if error.code() in _REFUSALS:
                raise ScoringRefusedError(f"inference refuses the question: {error.code().name}") from None
            raise self._unavailable(error.code()) from None
        _check(items, response)
        return list(response.assessments)

    async def watch(self, interval_seconds: float) -> None:
        """Find out when the service goes and when it is back; runs until cancelled."""
        while True:
            await self._ask()
            await asyncio.sleep(interval_seconds)

    async def _ask(self) -> None:
        try:
            answer = await self._health.Check(health_pb2.HealthCheckRequest(service=_SERVICE), timeout=_HEALTH_SECONDS)
        except grpc.aio.AioRpcError as error:
            trouble = f"inference does not answer: {error.code().name}" if error.code() in _AWAY else None
        else:
            # A server that is about to stop says so first.
            trouble = None if answer.status == health_pb2.HealthCheckResponse.SERVING else "inference does not serve"
        if trouble is None:
            self._outage.end()
        else:
            self._outage.note(trouble)

    def _unavailable(self, code: grpc.StatusCode) -> ScoringUnavailableError | ScoringOutageError:
        words = f"inference does not answer: {code.name}"
        if code != grpc.StatusCode.UNAVAILABLE:
            return ScoringUnavailableError(words)
        self._outage.note(words)
        return ScoringOutageError(words) if self._outage.is_given_up() else ScoringUnavailableError(words)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _channel(settings: InferenceSettings) -> Any:
    if settings.inference_tls_ca is None:
        return grpc.aio.insecure_channel(settings.inference_address, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(root_certificates=settings.inference_tls_ca.read_bytes())
    return grpc.aio.secure_channel(settings.inference_address, credentials, options=_OPTIONS)


def _check(items: Sequence[AssessmentItem], response: AssessResponse) -> None:
    if len(response.assessments) != len(items):
        raise ScoringRefusedError("inference answered another number of payments than it was asked about")
    for item, assessment in zip(items, response.assessments, strict=True):
        missing = [_ANSWERS[question] for question in item.questions if not assessment.HasField(_ANSWERS[question])]
        if missing:
            raise ScoringRefusedError(f"inference left questions open: {', '.join(missing)}")
    if broken := contract.broken_rules(response):
        raise ScoringRefusedError(f"inference broke its contract: {', '.join(rule.rule_id for rule in broken)}")
