"""Scoring over gRPC: what each way of failing means to the workflow."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2
from tidegate.inference.v1.assessment_service_pb2 import Assessment, AssessmentItem
from tidegate.inference.v1.assessment_service_pb2_grpc import add_AssessmentServiceServicer_to_server

from services.orchestrator.adapters.correlation import working_for
from services.orchestrator.adapters.scoring import GrpcScoring
from services.orchestrator.outage import Outage
from services.orchestrator.settings import InferenceSettings
from services.runtime.clock import SystemClock
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from tests.fakes.payments import RECEIPT, failed, succeeded
from tests.fakes.scoring import InferenceServer, assess, serving
from workflows.errors import ScoringOutageError, ScoringRefusedError, ScoringUnavailableError
from workflows.payment_event.questions import assessment_item


def items() -> list[AssessmentItem]:
    return [item for event in (succeeded(), failed("2")) if (item := assessment_item(event)) is not None]


@asynccontextmanager
async def scoring(address: str, **settings: Any) -> AsyncIterator[GrpcScoring]:
    outage = settings.pop("outage", None) or Outage(SystemClock(), patience_seconds=60)
    adapter = GrpcScoring(InferenceSettings(inference_address=address, **settings), outage)
    try:
        yield adapter
    finally:
        await adapter.close()


async def test_all_questions_about_all_payments_are_one_call_with_the_events_headers() -> None:
    inference = InferenceServer()
    async with serving(inference) as address, scoring(address) as adapter:
        with working_for({EVENT_ID: "stripe:evt_1", RECEIPT_ID: RECEIPT}):
            answers = await adapter.assess(items())
    assert [answer.payment_id for answer in answers] == ["stripe:pi_1", "stripe:pi_2"]
    assert answers[0].HasField("fraud")
    assert answers[1].HasField("retry")
    assert len(inference.calls) == 1
    assert (inference.metadata[0][EVENT_ID], inference.metadata[0][RECEIPT_ID]) == ("stripe:evt_1", RECEIPT)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, ScoringUnavailableError),
        (grpc.StatusCode.INTERNAL, ScoringUnavailableError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ScoringUnavailableError),
        (grpc.StatusCode.INVALID_ARGUMENT, ScoringRefusedError),
        (grpc.StatusCode.UNIMPLEMENTED, ScoringRefusedError),
    ],
)
async def test_a_status_means_try_again_or_never(status: grpc.StatusCode, error: type[Exception]) -> None:
    inference = InferenceServer()
    inference.status = status
    async with serving(inference) as address, scoring(address) as adapter:
        with pytest.raises(error, match=status.name) as raised:
            await adapter.assess(items())
    assert "as told" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_nobody_there_and_no_answer_in_time_are_unavailable() -> None:
    async with scoring("127.0.0.1:1") as adapter:
        with pytest.raises(ScoringUnavailableError, match="UNAVAILABLE"):
            await adapter.assess(items())
    inference = InferenceServer()
    inference.delay_seconds = 2
    async with serving(inference) as address, scoring(address, inference_timeout_ms=100) as adapter:
        with pytest.raises(ScoringUnavailableError, match="DEADLINE_EXCEEDED"):
            await adapter.assess(items())


async def test_an_outage_is_noted_by_whoever_meets_it_first_and_ended_by_the_watch() -> None:
    inference = InferenceServer()
    outage = Outage(SystemClock(), patience_seconds=60)
    async with serving(inference) as address, scoring(address, outage=outage) as adapter:
        inference.status = grpc.StatusCode.UNAVAILABLE
        with pytest.raises(ScoringUnavailableError):
            await adapter.assess(items())
        assert outage.awaited() == "inference does not answer: UNAVAILABLE"
        inference.status = None
        watching = asyncio.create_task(adapter.watch(0.02))
        await until(lambda: outage.awaited() is None)
        inference.status = grpc.StatusCode.UNAVAILABLE
        await until(lambda: outage.awaited() is not None)
        inference.status = None
        await until(lambda: outage.awaited() is None)
        inference.health = health_pb2.HealthCheckResponse.NOT_SERVING
        await until(lambda: outage.awaited() == "inference does not serve")
        watching.cancel()


async def test_an_outage_that_has_lasted_too_long_makes_a_question_fail_for_good() -> None:
    inference = InferenceServer()
    inference.status = grpc.StatusCode.UNAVAILABLE
    outage = Outage(SystemClock(), patience_seconds=0)
    async with serving(inference) as address, scoring(address, outage=outage) as adapter:
        with pytest.raises(ScoringOutageError):
            await adapter.assess(items())
        inference.status = grpc.StatusCode.INTERNAL
        with pytest.raises(ScoringUnavailableError):
            await adapter.assess(items())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a server has no event to wait for
            await asyncio.sleep(0.01)


async def test_an_answer_that_leaves_a_question_open_or_breaks_its_contract_is_refused() -> None:
    inference = InferenceServer()
    asked = items()[:1]
    off_contract = assess(asked[0])
    off_contract.fraud.fraud_probability = 7
    async with serving(inference) as address, scoring(address) as adapter:
        inference.broken = Assessment(payment_id="stripe:pi_1")
        with pytest.raises(ScoringRefusedError, match="fraud, churn"):
            await adapter.assess(asked)
        inference.broken = off_contract
        with pytest.raises(ScoringRefusedError, match=r"double\.gte_lte"):
            await adapter.assess(asked)
        with pytest.raises(ScoringRefusedError, match="another number"):
            await adapter.assess(items())


async def test_where_an_authority_is_configured_the_channel_is_encrypted_and_checked(tmp_path: Path) -> None:
    key, certificate = _self_signed(tmp_path)
    server = grpc.aio.server()
    add_AssessmentServiceServicer_to_server(InferenceServer(), server)
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    port = server.add_secure_port("localhost:0", credentials)
    await server.start()
    try:
        async with scoring(f"localhost:{port}", inference_tls_ca=certificate) as trusting:
            assert len(await trusting.assess(items())) == 2
        async with scoring(f"localhost:{port}") as plain:
            with pytest.raises(ScoringUnavailableError):
                await plain.assess(items())
    finally:
        await server.stop(None)


def _self_signed(folder: Path) -> tuple[Path, Path]:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = SystemClock().now()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    certificate.write_bytes(builder.sign(private, hashes.SHA256()).public_bytes(pem))
    key.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return key, certificate
