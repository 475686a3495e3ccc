import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse

from services.inference.adapters import json_codec
from services.inference.adapters.desk import Desk
from services.inference.adapters.http import build_app
from services.runtime.clock import FrozenClock
from tests.unit.inference.contexts import by_rules
from tests.unit.inference.test_json_codec import PAYMENT

CLOCK = FrozenClock(datetime(2026, 11, 1, 12, 0, 1, tzinfo=UTC))
PATHS = ("/fraud/score", "/retry/strategy", "/churn/predict", "/recovery/recommend")


class BrokenDesk(Desk):
    """Answers off-contract, as a predictor with a defect would."""

    async def score(self, request: object, time_left: float | None = None) -> ScoreResponse:
        """No decision, no provenance."""
        return ScoreResponse(fraud_probability=7)


class FailingDesk(Desk):
    """Fails with a customer's data in the error's text."""

    async def score(self, request: object, time_left: float | None = None) -> ScoreResponse:
        """Raise as a careless library would."""
        raise ValueError("cannot convert cus_secret")


def client(desk: Desk, missing: str | None = None) -> httpx.AsyncClient:
    app = build_app(desk, CLOCK, lambda: missing, "1")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inference")


@pytest.fixture
async def inference() -> AsyncIterator[httpx.AsyncClient]:
    async with client(Desk(by_rules, CLOCK)) as connected:
        yield connected


@pytest.mark.parametrize("path", PATHS)
async def test_a_question_is_answered(inference: httpx.AsyncClient, path: str) -> None:
    answer = await inference.post(path, json={"payment": {**PAYMENT, "failure_code": "insufficient_funds"}})
    assert answer.status_code == 200
    assert answer.json()["provenance"]["fallback"] is True
    assert answer.json()["provenance"]["predicted_at"] == "2026-11-01T12:00:01Z"


@pytest.mark.parametrize("path", PATHS)
async def test_an_off_contract_body_is_refused_with_its_rules(inference: httpx.AsyncClient, path: str) -> None:
    answer = await inference.post(path, json={"payment": {**PAYMENT, "currency": "dollars"}})
    assert answer.status_code == 422
    assert answer.json()["error"] == "off_contract"
    (violation,) = answer.json()["violations"]
    assert (violation["field_path"], violation["rule_id"]) == ("payment.currency", "string.pattern")
    assert "dollars" not in answer.text


@pytest.mark.parametrize("depth", [600, 1000])
async def test_a_deeply_nested_body_is_refused_as_off_contract(inference: httpx.AsyncClient, depth: int) -> None:
    answer = await inference.post("/fraud/score", content=b'{"payment":' + b"[" * depth + b"]" * depth + b"}")
    assert (answer.status_code, answer.json()["error"]) == (422, "off_contract")


async def test_a_body_with_thousands_of_unknown_fields_gets_a_short_answer_and_a_short_log_line(
    inference: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"payment": {f"provider_decline_code{number:x}": 1 for number in range(8_200)}}
    answer = await inference.post("/fraud/score", json=body)
    assert answer.status_code == 422
    assert len(answer.json()["violations"]) == 20
    assert "there may be more" in answer.json()["message"]
    assert len(answer.content) < 8_192
    (line,) = capsys.readouterr().out.splitlines()
    assert "rpc.invalid" in line
    assert len(line) < 2_048


async def test_broken_rules_beyond_those_told_are_counted(inference: httpx.AsyncClient) -> None:
    late = ["2400-01-01T00:00:00Z"] * 150
    answer = await inference.post("/fraud/score", json={"payment": {**PAYMENT, "previous_attempts": late}})
    assert len(answer.json()["violations"]) == 20
    assert answer.json()["message"].endswith("; it breaks 130 more rules than these")


async def answered(receive: Callable[[], Awaitable[dict[str, str]]]) -> tuple[int, bytes]:
    """Status and body for a request whose body comes so."""
    app = build_app(Desk(by_rules, CLOCK), CLOCK, lambda: None, "1")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/fraud/score", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def test_an_error_while_a_body_is_read_is_answered_as_any_other() -> None:
    async def fail() -> dict[str, str]:
        raise RecursionError("cus_secret")

    status, body = await answered(fail)
    assert (status, json.loads(body)["message"]) == (500, "internal error: RecursionError")


async def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_error() -> None:
    async def leave() -> dict[str, str]:
        return {"type": "http.disconnect"}

    assert await answered(leave) == (499, b"")


async def test_a_malformed_body_is_a_bad_request(inference: httpx.AsyncClient) -> None:
    answer = await inference.post("/fraud/score", content=b"{")
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed_json")


async def test_a_body_larger_than_any_request_is_refused(inference: httpx.AsyncClient) -> None:
    answer = await inference.post("/fraud/score", content=b" " * 300_000)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


async def test_an_off_contract_answer_is_withheld() -> None:
    async with client(BrokenDesk(by_rules, CLOCK)) as inference:
        answer = await inference.post("/fraud/score", json={"payment": PAYMENT})
    assert (answer.status_code, answer.json()["error"]) == (500, "internal")
    assert "fraud_probability" not in answer.text


async def test_an_error_is_told_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    async with client(FailingDesk(by_rules, CLOCK)) as inference:
        answer = await inference.post("/fraud/score", json={"payment": PAYMENT})
    assert (answer.status_code, answer.json()["message"]) == (500, "internal error: ValueError")
    assert "cus_secret" not in answer.text + "".join(capsys.readouterr())


async def test_ready_says_what_is_missing() -> None:
    async with client(Desk(by_rules, CLOCK), missing="starting") as inference:
        assert (await inference.get("/healthz")).status_code == 200
        unready = await inference.get("/readyz")
    assert (unready.status_code, unready.text) == (503, "starting")


async def test_answers_and_refusals_are_counted(inference: httpx.AsyncClient) -> None:
    def calls(code: str) -> float:
        labels = {"method": "POST /fraud/score", "code": code}
        return REGISTRY.get_sample_value("tidegate_rpc_duration_seconds_count", labels) or 0

    before = calls("OK"), calls("INVALID_ARGUMENT")
    await inference.post("/fraud/score", json={"payment": PAYMENT})
    await inference.post("/fraud/score", json={})
    assert (calls("OK"), calls("INVALID_ARGUMENT")) == (before[0] + 1, before[1] + 1)
    metrics = await inference.get("/metrics")
    assert 'tidegate_predictions_total{cause="no_model",fallback="true",model="fraud-rules"' in metrics.text


async def test_the_documentation_is_made_from_the_contracts(inference: httpx.AsyncClient) -> None:
    document = (await inference.get("/openapi.json")).json()
    assert set(document["paths"]) == set(PATHS)
    body = document["paths"]["/fraud/score"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/tidegate.inference.v1.ScoreRequest"}
    assert "card_brand" in document["components"]["schemas"]["tidegate.inference.v1.PaymentContext"]["properties"]
    assert (await inference.get("/docs")).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_the_documentation_s_example_can_be_sent_as_it_is(inference: httpx.AsyncClient, path: str) -> None:
    asked = (await inference.get("/openapi.json")).json()["paths"][path]["post"]["requestBody"]
    answer = await inference.post(path, json=asked["content"]["application/json"]["example"])
    assert answer.status_code == 200


async def test_every_status_that_is_sent_is_documented(inference: httpx.AsyncClient) -> None:
    document = (await inference.get("/openapi.json")).json()
    assert set(document["paths"]["/fraud/score"]["post"]["responses"]) == {"200", "400", "413", "422", "500"}


async def test_json_answers_are_those_of_the_handler(inference: httpx.AsyncClient) -> None:
    answer = await inference.post("/fraud/score", json={"payment": PAYMENT})
    read = json_codec.read(answer.content, ScoreResponse)
    assert read.provenance.model_name == "fraud-rules"
