"""Inference p50 against a bare gRPC echo: Assess as the orchestrator calls it, over the events of a behavioural world.

Both servers are processes of their own on grpc.aio and uvloop, on loopback, without TLS. The echo hands back the bytes
it got: no message, no rules, no interceptor. Ours is `python -m services.inference` as it runs in production: both
messages checked against the contract, metrics, up to four answers by rules. The client is of the orchestrator's kind
(grpc.aio on uvloop), the same for both, one call at a time; ours also encodes the request and decodes the answer. The
items are made of the world's events, in their order, by the orchestrator's own code, so that a call is as likely as it
is in a subscription business. Rounds of both alternate; a round's figure is its median, the result the median of the
rounds' ratios. `failed_ratio` is the same over calls about failed payments alone, the dearest there are, and
`failed_share` is how many those are; `blocking_ratio` is that of the dearest with a blocking client, the leanest there
is in Python. `python -m bench.inference` prints the entry of bench.json.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import grpc
import uvloop
from tidegate.inference.v1.assessment_service_pb2 import AssessRequest
from tidegate.inference.v1.assessment_service_pb2_grpc import AssessmentServiceStub
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_INSUFFICIENT_FUNDS, UnifiedPaymentEvent

from bench.measure import Result, interleaved, percentile
from mlops.features.event_rows import event_of
from services.runtime import contract
from services.simulator.behaviour.history import history
from services.simulator.behaviour.year import Plan, play
from workflows.payment_event.questions import assessment_item

ECHO = "/bench.Echo/Echo"
ALL, FAILED = "all", "payment.failed"
_CALLS = 250
_BEGIN = datetime(2026, 6, 8, tzinfo=UTC)
_ROUNDS = 25
_WARM_UP_ROUNDS = 4
_START_SECONDS = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run() -> list[Result]:
    """Measure both servers in turn."""
    with echo_server() as echo_address, inference_server({}) as address:
        seen: list[float] = []
        measured = uvloop.run(_with_loop(echo_address, address, seen))
        _, _, blocking_ratio = _blocking(echo_address, address)
    ours_ms, baseline_ms, ratio = measured[ALL]
    detail = {
        "p99_ms": percentile(seen, 99),
        "failed_ms": measured[FAILED][0],
        "failed_ratio": measured[FAILED][2],
        "failed_share": _share_of_failed(),
        "blocking_ratio": blocking_ratio,
    }
    what = "Assess, as the events of a subscription business ask: p50 against a bare gRPC echo of the same bytes"
    return [Result("inference_p50", what, "ms", ours_ms, baseline_ms, ratio, 1.5, "lower", detail)]


async def _with_loop(echo_address: str, address: str, seen: list[float]) -> dict[str, tuple[float, float, float]]:
    """Medians of ours and the baseline and of the rounds' ratios, by what was asked about."""
    pairs: dict[str, list[tuple[float, float]]] = {ALL: [], FAILED: []}
    requests = traffic()
    payloads = [request.SerializeToString() for request in requests]
    failed = [index for index, request in enumerate(requests) if request.items[0].payment.event_type == FAILED]

    def pick(times: list[float]) -> list[float]:
        return [times[index] for index in failed]

    async with grpc.aio.insecure_channel(echo_address) as echo_channel, grpc.aio.insecure_channel(address) as channel:
        echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = echo_channel.unary_unary(ECHO)
        assess = AssessmentServiceStub(channel).Assess
        for warm in (*(False,) * _WARM_UP_ROUNDS, *(True,) * _ROUNDS):
            ours, baseline = await _times(assess, requests), await _times(echo, payloads)
            if warm:
                seen.extend(ours)
                pairs[ALL].append((percentile(ours, 50), percentile(baseline, 50)))
                pairs[FAILED].append((percentile(pick(ours), 50), percentile(pick(baseline), 50)))
    return {about: _medians(each) for about, each in pairs.items()}


async def _times(call: Callable[[Any], Awaitable[object]], requests: Sequence[Any]) -> list[float]:
    """Milliseconds of each call, one after the other."""
    times = []
    for request in requests:
        start = time.perf_counter()
        await call(request)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def _medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    return (
        statistics.median(ours for ours, _ in pairs),
        statistics.median(baseline for _, baseline in pairs),
        statistics.median(ours / baseline for ours, baseline in pairs),
    )


def traffic() -> list[AssessRequest]:
    """What the orchestrator asks about the first events of a seeded world, after a week in which it gets going."""
    world = play(Plan(seed=7, customers=200, first_day=date(2026, 6, 1), days=60))
    told = (event_of({**row, **_moments(row)}) for row in history(world.told))
    items = (assessment_item(event) for event in told if event.provider_created_at.ToDatetime(UTC) >= _BEGIN)
    return [AssessRequest(items=[item]) for item in islice((item for item in items if item is not None), _CALLS)]


def _moments(row: Mapping[str, Any]) -> dict[str, datetime]:
    """A history's times, which are microseconds in its rows."""
    return {name: _EPOCH + timedelta(microseconds=row[name]) for name in ("provider_created_at", "processed_at")}


def _share_of_failed() -> float:
    asked = [request.items[0].payment.event_type for request in traffic()]
    return asked.count(FAILED) / len(asked)


def _blocking(echo_address: str, address: str) -> tuple[float, float, float]:
    """The same with a blocking client."""
    request = assess_request()
    payload = request.SerializeToString()
    with grpc.insecure_channel(echo_address) as echo_channel, grpc.insecure_channel(address) as channel:
        echo: grpc.UnaryUnaryMultiCallable[bytes, bytes] = echo_channel.unary_unary(ECHO)
        assess = AssessmentServiceStub(channel).Assess
        return interleaved(lambda: _p50_ms(lambda: assess(request)), lambda: _p50_ms(lambda: echo(payload)), _ROUNDS)


def assess_request() -> AssessRequest:
    """What the orchestrator asks about a failed subscription payment with about as many facts as a real one has."""
    event = UnifiedPaymentEvent(
        event_id="stripe:evt_1MqLnJHfXbQ8wWVUnNHq5v8i",
        event_type="payment.failed",
        provider_object_id="ch_3MqLnJHfXbQ8wWVU0K8m5V6q",
        payment_id="stripe:pi_3MqLnJHfXbQ8wWVU0K8m5V6q",
        merchant_id="acct_1032D82eZvKYlo2C",
        customer_id="cus_NffrFeUfNV2Hib",
        invoice_id="in_1MtHbELkdIwHu7ixl4OzzPMv",
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
    )
    event.provider_created_at.seconds = 1_793_534_400
    item = assessment_item(event)
    assert item is not None
    request = AssessRequest(items=[item])
    contract.check(request)
    return request


def _p50_ms(call: Callable[[], object]) -> float:
    times = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return percentile(times, 50)


@contextmanager
def inference_server(settings: Mapping[str, str]) -> Iterator[str]:
    """`python -m services.inference` with these settings; yields its gRPC address."""
    http = {"TIDEGATE_INFERENCE_URL": f"http://{_free_address()}"}
    with _server(lambda _: ["-m", "services.inference"], {**settings, **http}) as address:
        yield address


@contextmanager
def echo_server() -> Iterator[str]:
    """A bare grpc.aio server that hands back what it got; yields its address."""
    with _server(lambda address: ["-m", "bench.inference", "echo", address], {}) as address:
        yield address


@contextmanager
def _server(argv: Callable[[str], list[str]], environment: Mapping[str, str]) -> Iterator[str]:
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
