"""Inference p50 against a bare gRPC echo: one Assess call with one item and three questions (fraud, retry, churn).

Both servers are processes of their own on grpc.aio and uvloop, on loopback, without TLS. The echo hands back the bytes
it got: no message, no rules, no interceptor. Ours is `python -m services.inference` as it runs in production: both
messages checked against the contract, metrics, three answers. The client is the same for both, one call at a time on a
blocking channel (the leanest of the Python clients: nothing of its cost hides the server's); ours also encodes the
request and decodes the answer. Rounds of both alternate; a round's figure is its median, the result the median of the
rounds' ratios. `python -m bench.inference` prints the entry of bench.json alone.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import uvloop
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RETRY,
    AssessmentItem,
    AssessRequest,
)
from tidegate.inference.v1.assessment_service_pb2_grpc import AssessmentServiceStub
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_INSUFFICIENT_FUNDS

from bench.measure import Result, interleaved, percentile

_ECHO = "/bench.Echo/Echo"
_CALLS = 1_500
_ROUNDS = 7
_START_SECONDS = 30


def run() -> list[Result]:
    """Measure both servers in turn."""
    request = assess_request()
    payload = request.SerializeToString()
    seen: list[float] = []
    with (
        _server(_echo_argv, {}) as echo_address,
        _inference() as address,
        grpc.insecure_channel(echo_address) as echo_channel,
        grpc.insecure_channel(address) as channel,
    ):
        echo: grpc.UnaryUnaryMultiCallable[bytes, bytes] = echo_channel.unary_unary(_ECHO)
        assess = AssessmentServiceStub(channel).Assess

        def ours() -> float:
            return _p50_ms(lambda: assess(request), seen)

        def baseline() -> float:
            return _p50_ms(lambda: echo(payload), [])

        ours(), baseline()  # warm both up
        seen.clear()
        ours_ms, baseline_ms, ratio = interleaved(ours, baseline, _ROUNDS)
    detail = {"p99_ms": percentile(seen, 99)}
    what = "Assess, one item, three questions: p50 against a bare gRPC echo of the same bytes"
    return [Result("inference_p50", what, "ms", ours_ms, baseline_ms, ratio, 1.5, "lower", detail)]


def assess_request() -> AssessRequest:
    """A failed card payment with about as many facts as a real one has, and all questions that its event asks."""
    payment = PaymentContext(
        payment_id="stripe:pi_3MqLnJHfXbQ8wWVU0K8m5V6q",
        merchant_id="acct_1032D82eZvKYlo2C",
        customer_id="cus_NffrFeUfNV2Hib",
        amount_cents=1099,
        currency="USD",
        provider=PROVIDER_STRIPE,
        payment_method_type="card",
        card_brand="visa",
        card_fingerprint="AOB934RVNwzk6xtn",
        card_country="US",
        card_funding="credit",
        card_exp_month=8,
        card_exp_year=2030,
        failure_code="insufficient_funds",
        decline_class=DECLINE_CLASS_INSUFFICIENT_FUNDS,
        network_decline_code="51",
        provider_risk_score=24,
        recurring=True,
    )
    payment.occurred_at.seconds = 1_793_534_400
    questions = [QUESTION_FRAUD, QUESTION_RETRY, QUESTION_CHURN]
    return AssessRequest(items=[AssessmentItem(payment=payment, questions=questions)])


def _p50_ms(call: Callable[[], object], seen: list[float]) -> float:
    times = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    seen.extend(times)
    return percentile(times, 50)


@contextmanager
def _inference() -> Iterator[str]:
    with _server(
        lambda _: ["-m", "services.inference"], {"TIDEGATE_INFERENCE_URL": f"http://{_free_address()}"}
    ) as address:
        yield address


def _echo_argv(address: str) -> list[str]:
    return ["-m", "bench.inference", "echo", address]


@contextmanager
def _server(argv: Callable[[str], list[str]], environment: dict[str, str]) -> Iterator[str]:
    """Run a server process until the block is left; yields its address once it accepts calls."""
    address = _free_address()
    process = subprocess.Popen(
        [sys.executable, *argv(address)],
        env={**os.environ, **environment, "TIDEGATE_INFERENCE_ADDRESS": address, "TIDEGATE_LOG_LEVEL": "ERROR"},
    )
    try:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=_START_SECONDS)
        yield address
    finally:
        process.terminate()
        process.wait()


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def _serve_echo(address: str) -> None:
    async def echo(request: bytes, _context: Any) -> bytes:
        return request

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


def main(arguments: list[str]) -> None:
    """Serve the echo where told to; else measure and print."""
    match arguments:
        case ["echo", address]:
            uvloop.run(_serve_echo(address))
        case _:
            print(json.dumps({result.id: result.as_json() for result in run()}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
