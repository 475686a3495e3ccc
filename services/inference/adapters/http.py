"""The four questions as JSON over HTTP, with probes, metrics and documentation made from the contracts."""

import http
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from fastapi import FastAPI, Request, Response
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from starlette.requests import ClientDisconnect
from tidegate.inference.v1.churn_service_pb2 import PredictRequest, PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import ScoreRequest, ScoreResponse
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanRequest, RecommendPlanResponse
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyRequest, RecommendStrategyResponse

from services.inference.adapters import json_codec, openapi
from services.inference.adapters.desk import Desk
from services.inference.adapters.json_codec import MalformedJsonError
from services.runtime import contract, probes
from services.runtime.api_pages import serve_docs
from services.runtime.clock import Clock
from services.runtime.errors import BrokenRule, ContractViolationError
from services.runtime.grpc_server import bind_ids, error_frames
from services.runtime.metrics import histogram
from services.runtime.telemetry import incoming_trace, logger

_JSON = "application/json"
_LARGEST_BODY = 256 * 1024
_GONE = 499
_RPC_CODES = {
    200: "OK",
    400: "INVALID_ARGUMENT",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    _GONE: "CANCELLED",
}

_REFUSAL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error", "message", "violations"],
    "properties": {
        "error": {"type": "string", "enum": ["malformed_json", "off_contract", "too_large", "internal"]},
        "message": {"type": "string"},
        "violations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field_path", "rule_id", "message"],
                "properties": {name: {"type": "string"} for name in ("field_path", "rule_id", "message")},
            },
        },
    },
}

# What the documentation fills in: it can be sent as it is, to every question.
_EXAMPLE: dict[str, Any] = {
    "payment_id": "stripe:pi_3MqLnJHfXbQ8wWVU0K8m5V6q",
    "merchant_id": "acct_1032D82eZvKYlo2C",
    "customer_id": "cus_NffrFeUfNV2Hib",
    "amount_cents": "1099",
    "currency": "USD",
    "occurred_at": "2026-11-01T12:00:00Z",
    "payment_method_type": "card",
    "card_brand": "visa",
    "failure_code": "insufficient_funds",
    "recurring": True,
}

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """One question over HTTP: its path, its messages and who answers."""

    path: str
    summary: str
    request: type[Message]
    response: type[Message]
    answer: Callable[[Any], Awaitable[Message]]


def questions(desk: Desk) -> tuple[Question, ...]:
    """The questions that can be asked as JSON."""
    return (
        Question("/fraud/score", "Is this payment likely to be fraud?", ScoreRequest, ScoreResponse, desk.score),
        Question(
            "/retry/strategy",
            "Should this failed payment be tried again, and when?",
            RecommendStrategyRequest,
            RecommendStrategyResponse,
            desk.recommend,
        ),
        Question(
            "/churn/predict", "How likely is this customer to leave?", PredictRequest, PredictResponse, desk.predict
        ),
        Question(
            "/recovery/recommend",
            "How is this failed payment best recovered?",
            RecommendPlanRequest,
            RecommendPlanResponse,
            desk.plan,
        ),
    )


def build_app(
    desk: Desk, clock: Clock, ready: probes.Check, version: str, remarks: Callable[[], Sequence[str]] = tuple
) -> FastAPI:
    """The JSON application. Remarks are told by /readyz while it is ready: they keep nobody from being answered."""
    app = _DocumentedApp(title="Tidegate inference", version=version, docs_url=None, redoc_url=None)
    serve_docs(app)
    app.asked = questions(desk)
    for question in app.asked:
        app.add_api_route(
            question.path,
            _endpoint(question, clock),
            methods=["POST"],
            summary=question.summary,
            openapi_extra={
                "requestBody": {
                    "required": True,
                    **_content(openapi.reference(_descriptor(question.request)), example={"payment": _EXAMPLE}),
                }
            },
            responses=_responses(question),
        )
    for path in ("/healthz", "/readyz", "/metrics"):
        app.add_api_route(path, _probe(path, ready, remarks), methods=["GET"], include_in_schema=False)
    return app


def _endpoint(question: Question, clock: Clock) -> Callable[[Request], Awaitable[Response]]:
    method = f"POST {question.path}"
    durations = histogram("tidegate_rpc_duration_seconds")

    async def endpoint(request: Request) -> Response:
        started = clock.monotonic()
        bind_ids(request.headers)
        with incoming_trace(request.headers):
            response = await _respond(question, request)
        code = _RPC_CODES.get(response.status_code, "INTERNAL")
        durations.labels(method, code).observe(clock.monotonic() - started)
        return response

    return endpoint


async def _respond(question: Question, request: Request) -> Response:
    try:
        return await _answer(question, request)
    except ClientDisconnect:
        return Response(status_code=_GONE)  # nobody reads it
    except Exception as error:  # noqa: BLE001 - the edge: every error becomes a status
        _log.error("rpc.failed", method=question.path, error=type(error).__name__, at=error_frames(error))
        return _refusal(500, "internal", f"internal error: {type(error).__name__}")


async def _answer(question: Question, request: Request) -> Response:
    body = await _body(request)
    if body is None:
        return _refusal(413, "too_large", f"the body is larger than {_LARGEST_BODY} bytes")
    try:
        asked = json_codec.read(body, question.request)
    except MalformedJsonError as error:
        return _refusal(400, "malformed_json", str(error))
    except ContractViolationError as error:
        # Paths stay out of the log: an unknown field's name is the caller's text.
        rules = [rule.rule_id for rule in error.broken]
        _log.warning("rpc.invalid", method=question.path, rules=rules, more=error.more)
        return _refusal(422, "off_contract", _off_contract(error), error.broken)
    answer = await question.answer(asked)
    contract.check(answer)
    return Response(json_codec.write(answer), media_type=_JSON)


def _off_contract(error: ContractViolationError) -> str:
    message = f"the body is no valid {error.message_type}"
    if error.more is None:
        return f"{message}; there may be more broken rules than these: not all were looked for"
    return f"{message}; it breaks {error.more} more rules than these" if error.more else message


async def _body(request: Request) -> bytes | None:
    """The body, or None as soon as it is larger than a request can be."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            return None
    return bytes(body)


def _refusal(status: int, error: str, message: str, broken: Sequence[BrokenRule] = ()) -> Response:
    violations = [{"field_path": rule.field_path, "rule_id": rule.rule_id, "message": rule.message} for rule in broken]
    content = orjson.dumps({"error": error, "message": message, "violations": violations})
    return Response(content, status_code=status, media_type=_JSON)


def _probe(path: str, ready: probes.Check, remarks: Callable[[], Sequence[str]]) -> Callable[[], Response]:
    def probe() -> Response:
        status, content_type, body = probes.answer(path, ready)
        if path == "/readyz" and status == http.HTTPStatus.OK:
            body += "".join(f"{remark}\n" for remark in remarks()).encode()
        return Response(body, status_code=status, media_type=content_type)

    return probe


class _DocumentedApp(FastAPI):
    """Documents itself from the contracts: its routes take the bare request, which tells FastAPI nothing."""

    asked: Sequence[Question] = ()

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with schemas from the descriptors."""
        document = super().openapi()
        messages = [
            _descriptor(message) for question in self.asked for message in (question.request, question.response)
        ]
        document["components"] = {"schemas": {**openapi.schemas(messages), "Refusal": _REFUSAL_SCHEMA}}
        return document


def _responses(question: Question) -> dict[int | str, dict[str, Any]]:
    refusal = _content({"$ref": "#/components/schemas/Refusal"})
    return {
        200: {"description": "The answer.", **_content(openapi.reference(_descriptor(question.response)))},
        400: {"description": "The body is no JSON object.", **refusal},
        413: {"description": "The body is too large.", **refusal},
        422: {
            "description": f"The body is off-contract: its broken rules, {contract.MOST_TOLD} at the most, each with "
            "its field. The message says where there are more.",
            **refusal,
        },
        500: {"description": "The answer failed or broke its own contract. The log says where.", **refusal},
    }


def _content(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": {_JSON: {"schema": schema, **more}}}


def _descriptor(message: type[Message]) -> Descriptor:
    return cast("Descriptor", message.DESCRIPTOR)
