"""Inference as a real process: both protocols, health, reflection, TLS, deadlines, refusals, and an orderly end."""

import asyncio
import ipaddress
import json
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from tidegate.inference.v1.assessment_service_pb2 import (
    AssessmentItem,
    AssessRequest,
    Question,
)
from tidegate.inference.v1.assessment_service_pb2_grpc import AssessmentServiceStub
from tidegate.inference.v1.churn_service_pb2 import PredictRequest
from tidegate.inference.v1.churn_service_pb2_grpc import ChurnServiceStub
from tidegate.inference.v1.fraud_service_pb2 import ScoreRequest
from tidegate.inference.v1.fraud_service_pb2_grpc import FraudServiceStub
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanRequest
from tidegate.inference.v1.recovery_service_pb2_grpc import RecoveryServiceStub
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyRequest
from tidegate.inference.v1.retry_service_pb2_grpc import RetryServiceStub

from services.inference.tables import NETWORK_RULES
from services.runtime import headers
from tests.integration.inference_process import Inference, free_address, launch, started

SERVICES = {
    "tidegate.inference.v1.AssessmentService",
    "tidegate.inference.v1.ChurnService",
    "tidegate.inference.v1.FraudService",
    "tidegate.inference.v1.RecoveryService",
    "tidegate.inference.v1.RetryService",
}
ASSESS = "tidegate.inference.v1.AssessmentService/Assess"
ALL_QUESTIONS = Question.keys()[1:]


def declined(**changes: object) -> PaymentContext:
    """A subscription payment that failed for want of funds."""
    fields = {
        "payment_id": "pi_1",
        "merchant_id": "acct_1",
        "customer_id": "cus_ada_lovelace",
        "amount_cents": 1999,
        "currency": "USD",
        "occurred_at": "2026-11-01T12:00:00Z",
        "card_brand": "visa",
        "failure_code": "insufficient_funds",
        "recurring": True,
    }
    return ParseDict({**fields, **changes}, PaymentContext())


def batch(items: int) -> AssessRequest:
    """Every question about that many payments."""
    item = AssessmentItem(payment=declined(), questions=ALL_QUESTIONS)
    return AssessRequest(items=[item] * items)


@pytest.fixture(scope="module")
def inference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inference]:
    """One process for the tests that leave it alive."""
    with started(tmp_path_factory.mktemp("inference")) as running:
        yield running


@pytest.fixture
def channel(inference: Inference) -> Iterator[grpc.Channel]:
    """A connection to it."""
    with grpc.insecure_channel(inference.address) as connected:
        yield connected


def told(answer: Message) -> dict[str, object]:
    """An answer as JSON would say it, but for the moment it was made."""
    written = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    del written["provenance"]["predicted_at"]
    return written


@pytest.mark.parametrize(
    "code", ["insufficient_funds", "stolen_card", "authentication_required", "issuer_not_available"]
)
def test_json_and_grpc_give_the_same_answers(inference: Inference, channel: grpc.Channel, code: str) -> None:
    payment = declined(failure_code=code)
    by_grpc = {
        "/fraud/score": FraudServiceStub(channel).Score(ScoreRequest(payment=payment)),
        "/retry/strategy": RetryServiceStub(channel).RecommendStrategy(RecommendStrategyRequest(payment=payment)),
        "/churn/predict": ChurnServiceStub(channel).Predict(PredictRequest(payment=payment)),
        "/recovery/recommend": RecoveryServiceStub(channel).RecommendPlan(RecommendPlanRequest(payment=payment)),
    }
    body = {"payment": MessageToDict(payment, preserving_proto_field_name=True)}
    for path, answer in by_grpc.items():
        response = httpx.post(f"{inference.url}{path}", json=body, trust_env=False)
        by_json = response.json()
        del by_json["provenance"]["predicted_at"]
        assert (response.status_code, by_json) == (200, told(answer)), path


def test_one_call_answers_all_that_an_event_needs(channel: grpc.Channel) -> None:
    response = AssessmentServiceStub(channel).Assess(batch(3), timeout=5)
    assert len(response.assessments) == 3
    for assessment in response.assessments:
        answers = (assessment.fraud, assessment.retry, assessment.churn, assessment.recovery)
        assert [answer.provenance.fallback for answer in answers] == [True] * 4


def test_reflection_lists_the_services_and_describes_them(channel: grpc.Channel) -> None:
    reflected = ProtoReflectionDescriptorDatabase(channel)
    assert set(reflected.get_services()) >= SERVICES
    file = reflected.FindFileContainingSymbol("tidegate.inference.v1.RetryService")
    assert [method.name for service in file.service for method in service.method] == ["RecommendStrategy"]


def test_health_is_told_for_each_service(channel: grpc.Channel) -> None:
    check = health_pb2_grpc.HealthStub(channel).Check
    for service in ("", *SERVICES):
        assert check(health_pb2.HealthCheckRequest(service=service)).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as refused:
        check(health_pb2.HealthCheckRequest(service="tidegate.inference.v1.NoService"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_an_off_contract_request_is_refused_with_every_broken_rule(channel: grpc.Channel) -> None:
    broken = AssessRequest(
        items=[
            AssessmentItem(payment=declined(currency="dollars"), questions=["QUESTION_FRAUD"]),
            AssessmentItem(payment=declined(amount_cents=-1), questions=["QUESTION_FRAUD", "QUESTION_FRAUD"]),
        ]
    )
    with pytest.raises(grpc.RpcError) as refused:
        AssessmentServiceStub(channel).Assess(broken)
    status = rpc_status.from_call(refused.value)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    bad = BadRequest()
    assert status.details[0].Unpack(bad)
    told_rules = {(each.field, each.description.rpartition("[")[2].rstrip("]")) for each in bad.field_violations}
    assert told_rules == {
        ("items[0].payment.currency", "string.pattern"),
        ("items[1].payment.amount_cents", "int64.gte"),
        ("items[1].questions", "repeated.unique"),
    }
    assert "dollars" not in str(status)


@pytest.mark.parametrize("attempts", [100, 190])
def test_a_request_that_breaks_many_rules_hears_of_the_first_and_of_how_many_more(
    channel: grpc.Channel, attempts: int
) -> None:
    """Clients drop a call whose status is larger than their metadata may be: RESOURCE_EXHAUSTED, and no reason."""
    payment = declined(previous_attempts=["2400-01-01T00:00:00Z"] * attempts)
    with pytest.raises(grpc.RpcError) as refused:
        RetryServiceStub(channel).RecommendStrategy(RecommendStrategyRequest(payment=payment))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status, bad = rpc_status.from_call(refused.value), BadRequest()
    assert status.details[0].Unpack(bad)
    assert len(bad.field_violations) == 20
    assert f"and {attempts - 1} more; the first 20 are in the details" in status.message


def test_no_request_keeps_others_waiting_by_what_is_wrong_with_it(inference: Inference, channel: grpc.Channel) -> None:
    """Each of these took seconds of the loop that answers every call, up to minutes."""
    fields = {f"provider_decline_code{number:x}": 1 for number in range(8_200)}
    broken = declined()
    broken.previous_attempts.extend([Timestamp(seconds=8_000_000_000)] * 200_000)
    assess, score = AssessmentServiceStub(channel).Assess, FraudServiceStub(channel).Score
    assess(batch(1))
    with ThreadPoolExecutor() as pool:
        by_json = pool.submit(httpx.post, f"{inference.url}/fraud/score", json={"payment": fields}, trust_env=False)
        by_grpc: list[Any] = [
            score.future(ScoreRequest(payment=broken)),
            assess.future(AssessRequest(items=[AssessmentItem()] * 200_000)),
        ]
        while not (by_json.done() and all(call.done() for call in by_grpc)):
            assess(batch(1), timeout=2)
    assert by_json.result().status_code == 422
    assert [call.code() for call in by_grpc] == [grpc.StatusCode.INVALID_ARGUMENT] * 2


def test_bytes_that_are_no_message_are_refused(channel: grpc.Channel) -> None:
    assess: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{ASSESS}")
    with pytest.raises(grpc.RpcError) as refused:
        assess(b"\xff\xff\xff")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


# Batches are worked on in turn, slice by slice: as long as those of all have begun, most of the work is to come.
_BATCHES = 8
_ANSWERS_A_BATCH = 500 * len(ALL_QUESTIONS)


def test_work_stops_when_the_deadline_has_passed(inference: Inference, channel: grpc.Channel) -> None:
    assess, largest = AssessmentServiceStub(channel).Assess, batch(500)
    quarter, before = _quarter(assess, largest), _work(inference)
    late = [assess.future(largest, timeout=quarter) for _ in range(_BATCHES)]
    assert grpc.StatusCode.DEADLINE_EXCEEDED in {call.code() for call in late}
    _assert_stopped_halfway(before, _settled(inference))


def test_work_stops_when_the_client_has_gone_away(inference: Inference, channel: grpc.Channel) -> None:
    assess, largest = AssessmentServiceStub(channel).Assess, batch(500)
    quarter, before = _quarter(assess, largest), _work(inference)
    gone = [assess.future(largest) for _ in range(_BATCHES)]
    time.sleep(quarter)
    for call in gone:
        call.cancel()
    _assert_stopped_halfway(before, _settled(inference))


def _quarter(assess: Any, largest: AssessRequest) -> float:
    """A quarter of the seconds that the batches take when nothing stops them, on this machine and now."""
    started_at = time.perf_counter()
    for call in [assess.future(largest) for _ in range(_BATCHES)]:
        call.result()
    return (time.perf_counter() - started_at) / 4


class _Work(NamedTuple):
    """What the process has done so far, by its own count."""

    answers: float
    finished: float
    given_up: float


def _work(inference: Inference) -> _Work:
    def calls(code: str) -> float:
        return inference.metric("tidegate_rpc_duration_seconds_count", method=ASSESS, code=code)

    answers = inference.metric("tidegate_predictions_total")
    return _Work(answers, calls("OK"), calls("DEADLINE_EXCEEDED") + calls("CANCELLED"))


def _assert_stopped_halfway(before: _Work, after: _Work) -> None:
    """Some calls were given up with a part of their answers made and the rest not."""
    answers, finished = after.answers - before.answers, after.finished - before.finished
    assert finished * _ANSWERS_A_BATCH < answers < _BATCHES * _ANSWERS_A_BATCH
    assert after.given_up > before.given_up


def _settled(inference: Inference) -> _Work:
    """What has been done once no more is."""
    work, earlier = _work(inference), None
    while work != earlier:
        time.sleep(0.1)
        work, earlier = _work(inference), work
    return work


def test_the_log_has_the_receipt_and_nothing_personal(inference: Inference, channel: grpc.Channel) -> None:
    receipt = "fedcba9876543210fedcba9876543210"
    with pytest.raises(grpc.RpcError):
        FraudServiceStub(channel).Score(
            ScoreRequest(payment=declined(card_country="Elbonia")), metadata=((headers.RECEIPT_ID, receipt),)
        )
    httpx.post(f"{inference.url}/fraud/score", json={"payment": {"ada@example.com": 1}}, trust_env=False)
    log = inference.log.read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    refusal = next(line for line in lines if line.get("receipt_id") == receipt)
    assert (refusal["event"], refusal["rules"]) == ("rpc.invalid", ["payment.card_country string.pattern"])
    assert [word for word in ("cus_ada_lovelace", "Elbonia", "ada@example.com") if word in log] == []


def test_calls_are_measured_by_method_and_code(inference: Inference, channel: grpc.Channel) -> None:
    method = "tidegate.inference.v1.FraudService/Score"
    before = inference.metric("tidegate_rpc_duration_seconds_count", method=method, code="OK")
    FraudServiceStub(channel).Score(ScoreRequest(payment=declined()))
    assert inference.metric("tidegate_rpc_duration_seconds_count", method=method, code="OK") == before + 1


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A throw-away CA with a certificate for 127.0.0.1: the CA's file, the certificate's, the key's."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)  # noqa: TID251 - real libraries check the certificate against the real time
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throw-away CA")])

    def issued(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name).public_key(public)
        valid = builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(hours=1))
        return valid.serial_number(x509.random_serial_number())

    ca = issued(ca_name, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = issued(x509.Name([]), key.public_key()).add_extension(host, critical=True)
    files = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    pem = serialization.Encoding.PEM
    files[0].write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    files[1].write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    files[2].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def test_with_certificates_both_protocols_speak_tls_and_nothing_else(
    tmp_path: Path, certificate: tuple[Path, Path, Path]
) -> None:
    ca, cert, key = certificate
    tls = {"TIDEGATE_INFERENCE_TLS_CERT": str(cert), "TIDEGATE_INFERENCE_TLS_KEY": str(key)}
    with started(tmp_path, ca=ca, **tls) as inference:
        trusted = grpc.ssl_channel_credentials(ca.read_bytes())
        with grpc.secure_channel(inference.address, trusted) as channel:
            assert FraudServiceStub(channel).Score(ScoreRequest(payment=declined()), timeout=5).provenance.fallback
        body = {"payment": MessageToDict(declined(), preserving_proto_field_name=True)}
        context = ssl.create_default_context(cafile=str(ca))
        answer = httpx.post(f"{inference.url}/fraud/score", json=body, trust_env=False, verify=context)
        assert answer.status_code == 200
        with grpc.insecure_channel(inference.address) as channel, pytest.raises(grpc.RpcError) as refused:
            FraudServiceStub(channel).Score(ScoreRequest(payment=declined()), timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


# -- start and end -----------------------------------------------------------------------------------------------------


def failed_start(**environment: str) -> str:
    """What a process says that cannot start; it must end by itself with 1."""
    addresses = {
        "TIDEGATE_INFERENCE_ADDRESS": free_address(),
        "TIDEGATE_INFERENCE_URL": f"http://{free_address()}",
    }
    process = launch(subprocess.PIPE, **{**addresses, **environment})
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    return output.decode()


def test_a_port_in_use_is_told(inference: Inference) -> None:
    told_grpc = failed_start(TIDEGATE_INFERENCE_ADDRESS=inference.address)
    assert f"inference cannot start: cannot listen on {inference.address}: is the port in use" in told_grpc
    told_json = failed_start(TIDEGATE_INFERENCE_URL=inference.url)
    assert "inference cannot start: cannot listen on 127.0.0.1:" in told_json


def test_a_certificate_without_its_key_is_told(tmp_path: Path) -> None:
    assert "TIDEGATE_INFERENCE_TLS_KEY" in failed_start(TIDEGATE_INFERENCE_TLS_CERT=str(tmp_path / "cert.pem"))


def test_a_broken_rule_file_is_told(tmp_path: Path) -> None:
    rules = tmp_path / "networks.yaml"
    rules.write_text("longest_wait_hours: 1\nnetworks: []\n")
    output = failed_start(TIDEGATE_NETWORK_RULES_FILE=str(rules))
    assert output.startswith(f"inference cannot start: {rules}")
    assert "networks" in output


def test_another_network_table_holds_and_is_named_in_the_answer(tmp_path: Path, channel: grpc.Channel) -> None:
    table = yaml.safe_load(NETWORK_RULES.read_text())
    visa = next(network for network in table["networks"] if network["name"] == "visa")
    visa["budgets"][0]["attempts"] = 20
    rules = tmp_path / "networks.yaml"
    rules.write_text(yaml.safe_dump(table))
    asked = RecommendStrategyRequest(payment=declined())
    own = RetryServiceStub(channel).RecommendStrategy(asked)
    with (
        started(tmp_path, TIDEGATE_NETWORK_RULES_FILE=str(rules)) as inference,
        grpc.insecure_channel(inference.address) as other,
    ):
        answer = RetryServiceStub(other).RecommendStrategy(asked, timeout=5)
    assert (own.attempts_left, answer.attempts_left) == (14, 19)
    assert own.provenance.model_version != answer.provenance.model_version


def test_watchers_of_health_hear_of_the_end_before_it_comes(tmp_path: Path) -> None:
    seen: list[int] = []
    with started(tmp_path, TIDEGATE_INFERENCE_DRAIN_SECONDS="2") as inference:
        with grpc.insecure_channel(inference.address) as channel:
            service = "tidegate.inference.v1.RetryService"
            watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=service))
            seen.append(next(watching).status)
            inference.terminate()
            seen.append(next(watching).status)
            still = RetryServiceStub(channel).RecommendStrategy(RecommendStrategyRequest(payment=declined()), timeout=1)
            assert not inference.ready()
        assert inference.exit_code() == 0
    assert seen == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]
    assert still.provenance.fallback


def test_every_call_in_flight_at_the_end_gets_its_true_answer(tmp_path: Path) -> None:
    """Under load, a stop gives each call an answer or UNAVAILABLE: never a broken one, never silence."""
    with started(tmp_path, TIDEGATE_INFERENCE_DRAIN_SECONDS="0.3") as inference:
        before, after = asyncio.run(_load(inference))
        assert inference.exit_code() == 0
    assert before.keys() == {"OK"}
    assert after.keys() <= {"OK", "UNAVAILABLE"}
    # Each caller's last call was refused; while callers turned away, others were still answered.
    assert after["UNAVAILABLE"] == _CALLERS
    assert after["OK"] > 0


_CALLERS = 12
_CALLS_BEFORE_THE_END = 60


async def _load(inference: Inference) -> tuple[Counter[str], Counter[str]]:
    """Callers that ask until the server is gone: how their calls ended before and after it was told to stop."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()

    async def caller(size: int) -> None:
        request, outcome = batch(size), "OK"
        async with grpc.aio.insecure_channel(inference.address) as channel:
            stub = AssessmentServiceStub(channel)
            while outcome == "OK":
                try:
                    response = await stub.Assess(request, timeout=60)
                    assert len(response.assessments) == size
                except grpc.aio.AioRpcError as error:
                    outcome = error.code().name
                (after if told_to_stop.is_set() else before)[outcome] += 1
                if before.total() == _CALLS_BEFORE_THE_END and not told_to_stop.is_set():
                    inference.terminate()
                    told_to_stop.set()

    told_to_stop = asyncio.Event()
    await asyncio.gather(*(caller(500 if number % 4 == 0 else 1) for number in range(_CALLERS)))
    return before, after


def test_predictions_are_stamped_with_the_time_they_are_made(channel: grpc.Channel) -> None:
    answer = FraudServiceStub(channel).Score(ScoreRequest(payment=declined()))
    now = Timestamp()
    now.GetCurrentTime()
    assert 0 <= now.ToMilliseconds() - answer.provenance.predicted_at.ToMilliseconds() < 60_000
