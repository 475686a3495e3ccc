"""The gate around every call, driven by hand: no socket, a context that notes what was done to it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import structlog
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry import trace
from prometheus_client import REGISTRY
from tidegate.ingress.v1.violation_pb2 import Violation

from services.runtime import headers
from services.runtime.clock import FrozenClock
from services.runtime.errors import BrokenRule, Findings
from services.runtime.grpc_server import STATUS_DETAILS, CheckedCall, Door, RpcGate, error_frames, refusal_status

METHOD = "/tidegate.test.v1.TestService/Ask"
VALID = Violation(rule_id="a.rule", message="in words")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Context:
    """A call's context in memory."""

    metadata: tuple[tuple[str, str | bytes], ...] = ()
    remaining: float | None = None
    # Whether grpc has ended it by itself, and takes no status any more.
    over: bool = False
    aborted: tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]] | None = field(default=None)

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """What the caller sent."""
        return self.metadata

    def time_remaining(self) -> float | None:
        """Seconds to the deadline."""
        return self.remaining

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        """End the call."""
        if self.over:
            raise grpc.aio.InternalError("execute_batch")
        self.aborted = (code, details, trailing_metadata)
        raise grpc.aio.AbortError


@dataclass
class Asked:
    """A behaviour that answers as told and notes what it was asked."""

    answers: Callable[[], Message] = lambda: VALID
    requests: list[Message] = field(default_factory=list)
    trace_ids: list[int] = field(default_factory=list)
    bound: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, request: Any, _context: Any) -> Message:
        """Answer."""
        self.requests.append(request)
        self.trace_ids.append(trace.get_current_span().get_span_context().trace_id)
        self.bound.append(structlog.contextvars.get_contextvars())
        return self.answers()


async def call(
    asked: Asked, request: Message | None, context: Context | None = None, door: Door | None = None
) -> Context:
    """One call through the gate."""
    context, door = context or Context(), door or Door()
    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
    try:
        await CheckedCall(METHOD, asked, clock, door).answer(request, context)  # type: ignore[arg-type]  # a context in memory
    except grpc.aio.AbortError:
        assert context.aborted is not None
    return context


def calls(code: str) -> float:
    labels = {"method": METHOD.lstrip("/"), "code": code}
    return REGISTRY.get_sample_value("tidegate_rpc_duration_seconds_count", labels) or 0


def failing(error: Exception) -> Callable[[], Message]:
    def answer() -> Message:
        raise error

    return answer


async def test_a_valid_request_is_answered_and_counted() -> None:
    before = calls("OK")
    asked = Asked()
    context = await call(asked, VALID)
    assert (context.aborted, asked.requests) == (None, [VALID])
    assert calls("OK") == before + 1


async def test_an_off_contract_request_never_reaches_the_service() -> None:
    before = calls("INVALID_ARGUMENT")
    asked = Asked()
    context = await call(asked, Violation())
    assert asked.requests == []
    assert context.aborted is not None
    code, details, trailing = context.aborted
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "[string.min_len]" in details
    status = Status.FromString(dict(trailing)[STATUS_DETAILS])
    bad = BadRequest()
    assert status.details[0].Unpack(bad)
    assert (status.code, status.message) == (3, details)
    (first, *_) = bad.field_violations
    assert (first.field, first.reason) == ("rule_id", "STRING_MIN_LEN")
    assert first.description.endswith("[string.min_len]")
    assert calls("INVALID_ARGUMENT") == before + 1


async def test_bytes_that_are_no_message_are_an_invalid_argument() -> None:
    context = await call(Asked(), None)
    assert context.aborted is not None
    assert context.aborted[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert "wire.undecodable" in context.aborted[1]


async def test_an_off_contract_answer_is_withheld_and_told(caplog: pytest.LogCaptureFixture) -> None:
    before = calls("INTERNAL")
    with caplog.at_level(logging.ERROR):
        context = await call(Asked(answers=Violation), VALID)
    assert context.aborted is not None
    assert context.aborted[0] is grpc.StatusCode.INTERNAL
    assert calls("INTERNAL") == before + 1


async def test_an_error_becomes_internal_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    context = await call(Asked(answers=failing(ValueError("cannot read cus_secret"))), VALID)
    assert context.aborted is not None
    assert context.aborted[:2] == (grpc.StatusCode.INTERNAL, "internal error: ValueError")
    assert "cus_secret" not in "".join(capsys.readouterr())


async def test_a_call_whose_deadline_has_passed_is_not_worked_on() -> None:
    before = calls("DEADLINE_EXCEEDED")
    asked = Asked()
    context = await call(asked, VALID, Context(remaining=0))
    assert asked.requests == []
    assert context.aborted is not None
    assert context.aborted[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert calls("DEADLINE_EXCEEDED") == before + 1


async def test_a_call_that_is_over_before_its_late_deadline_is_told_is_no_error_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = calls("DEADLINE_EXCEEDED")
    with pytest.raises(asyncio.CancelledError):
        await call(Asked(), VALID, Context(remaining=0, over=True))
    assert calls("DEADLINE_EXCEEDED") == before + 1
    assert "rpc.failed" not in "".join(capsys.readouterr())


async def test_a_call_that_comes_when_the_door_is_closed_is_turned_away() -> None:
    asked, door = Asked(), Door(is_open=False)
    context = await call(asked, VALID, door=door)
    assert context.aborted is not None
    assert context.aborted[0] is grpc.StatusCode.UNAVAILABLE
    assert (asked.requests, door.turned_away) == ([], 1)


@pytest.mark.parametrize(("remaining", "code"), [(None, "CANCELLED"), (5.0, "CANCELLED"), (0.0, "DEADLINE_EXCEEDED")])
async def test_a_call_that_is_cancelled_stops_and_is_counted_by_its_cause(remaining: float | None, code: str) -> None:
    before = calls(code)
    context = Context()
    stopped = asyncio.Event()

    async def waits(_request: Any, _context: Any) -> Message:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return VALID

    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
    running = asyncio.create_task(CheckedCall(METHOD, waits, clock, Door()).answer(VALID, context))  # type: ignore[arg-type]  # in memory
    await asyncio.sleep(0)
    context.remaining = remaining
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stopped.is_set()
    assert calls(code) == before + 1


async def test_the_duration_is_the_clock_s() -> None:
    def total() -> float:
        labels = {"method": METHOD.lstrip("/"), "code": "OK"}
        return REGISTRY.get_sample_value("tidegate_rpc_duration_seconds_sum", labels) or 0

    clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))

    async def slow(_request: Any, _context: Any) -> Message:
        clock.advance(timedelta(seconds=3))
        return VALID

    before = total()
    await CheckedCall(METHOD, slow, clock, Door()).answer(VALID, Context())  # type: ignore[arg-type]  # in memory
    assert total() == pytest.approx(before + 3)


async def test_the_caller_s_trace_and_ids_go_on() -> None:
    asked = Asked()
    receipt = "0123456789abcdef0123456789abcdef"
    metadata = ((headers.RECEIPT_ID, receipt), (headers.EVENT_ID, "stripe:evt_1"), ("traceparent", TRACEPARENT))
    await asyncio.create_task(call(asked, VALID, Context(metadata)))
    assert asked.trace_ids == [0x0AF7651916CD43DD8448EB211C80319C]
    assert asked.bound == [{"receipt_id": receipt, "event_id": "stripe:evt_1"}]


async def test_what_does_not_look_like_an_id_stays_out_of_the_log() -> None:
    asked = Asked()
    metadata = ((headers.RECEIPT_ID, 'ada@example.com"\n'), (headers.EVENT_ID, "x" * 500))
    await asyncio.create_task(call(asked, VALID, Context(metadata)))
    assert asked.bound == [{}]


def test_a_refusal_names_every_rule_and_no_value() -> None:
    broken = [BrokenRule("string.pattern", "payment.currency", "must be a code", "str(7)"), BrokenRule("r", "", "m")]
    status = refusal_status(Findings(broken))
    assert status.message == "off-contract request: payment.currency: must be a code [string.pattern] and 1 more"
    assert b"str(7)" not in status.SerializeToString()


def details(status: Status) -> BadRequest:
    bad = BadRequest()
    assert status.details[0].Unpack(bad)
    return bad


@pytest.mark.parametrize(("rules", "more", "wording"), [(20, 0, " and 19 more"), (20, 381, " and 400 more; the first")])
def test_a_refusal_of_many_rules_fits_into_a_client_s_metadata_and_says_how_many_there_are(
    rules: int, more: int, wording: str
) -> None:
    told = [BrokenRule("timestamp.lt", f"payment.previous_attempts[{n}]", "must be before 2200") for n in range(rules)]
    status = refusal_status(Findings(told, more))
    assert wording in status.message
    assert len(details(status).field_violations) == rules


def test_a_refusal_with_long_texts_is_cut_by_bytes_and_says_so() -> None:
    told = [BrokenRule("cel", f"field_{n}", "x" * 900) for n in range(20)]
    status = refusal_status(Findings(told, 0))
    detailed = len(details(status).field_violations)
    assert 1 < detailed < 20
    assert status.message.endswith(f" and 19 more; the first {detailed} are in the details")
    # A client may drop a call whose trailers exceed 8 KiB; the details travel in base 64, the message besides.
    assert len(status.SerializeToString()) * 4 / 3 + len(status.message) < 8192


def test_a_refusal_of_a_large_request_does_not_pretend_to_know_all() -> None:
    status = refusal_status(Findings([BrokenRule("repeated.max_items", "items", "at most 500")], None))
    assert "there may be more" in status.message


def test_frames_tell_where_and_not_what() -> None:
    try:
        failing(ValueError("cus_secret"))()
    except ValueError as error:
        told = error_frames(error)
    assert any(frame.startswith("test_grpc_server.py:") for frame in told)
    assert "cus_secret" not in "".join(told)


@dataclass
class Details:
    """Which method is called."""

    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...] = ()


def found(handler: "grpc.RpcMethodHandler[Any, Any] | None") -> Callable[[Any], Awaitable[Any]]:
    """What the server would answer when asked for the handler; counts how often it was."""

    async def continuation(_details: Any) -> Any:
        looked_up.append(handler)
        return handler

    looked_up: list[Any] = []
    continuation.looked_up = looked_up  # type: ignore[attr-defined]  # read by the test
    return continuation


def handler_for(behaviour: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        behaviour, request_deserializer=Violation.FromString, response_serializer=Violation.SerializeToString
    )


def gate() -> RpcGate:
    return RpcGate(
        FrozenClock(datetime(2026, 11, 1, tzinfo=UTC)), Door(), own_services=frozenset({"tidegate.test.v1.TestService"})
    )


async def test_a_method_is_wrapped_once() -> None:
    keeper, continuation = gate(), found(handler_for(Asked()))
    first = await keeper.intercept_service(continuation, Details(METHOD))
    second = await keeper.intercept_service(continuation, Details(METHOD))
    assert first is second
    assert len(continuation.looked_up) == 1  # type: ignore[attr-defined]  # set by found
    # grpc.aio runs what is no coroutine function on a thread.
    assert asyncio.iscoroutinefunction(first.unary_unary)  # type: ignore[union-attr]


async def test_undecodable_bytes_reach_the_gate_as_nothing() -> None:
    wrapped = await gate().intercept_service(found(handler_for(Asked())), Details(METHOD))
    assert wrapped is not None
    assert wrapped.request_deserializer is not None
    assert wrapped.request_deserializer(b"\xff") is None
    assert wrapped.request_deserializer(VALID.SerializeToString()) == VALID


async def test_other_services_and_unknown_methods_pass_untouched() -> None:
    keeper, health = gate(), handler_for(Asked())
    assert await keeper.intercept_service(found(health), Details("/grpc.health.v1.Health/Check")) is health
    for number in range(3):
        assert await keeper.intercept_service(found(None), Details(f"{METHOD}{number}")) is None
    assert keeper._wrapped == {}
