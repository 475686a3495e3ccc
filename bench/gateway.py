"""Gateway CPU per request against an empty `@app.post` FastAPI handler on the same server software.

Ours does all the work: signature, JSON, contract, encode, publish to a real broker, answer after its acknowledgement.
The baseline reads nothing and answers a constant. Both are processes of their own under uvicorn with uvloop and
httptools; what is compared is the CPU time their process used, all threads included, divided by the requests.
"""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import httpx
import psutil
from fastapi import FastAPI

from bench.http_load import request, send_all
from bench.measure import Result, interleaved, percentile
from bench.platform import Platform, started
from services.runtime.clock import SystemClock
from services.simulator.events import Expected
from services.simulator.injections import Rates
from services.simulator.run import Plan, simulated
from services.simulator.signature import Signing, signature_header

_PATH = "/webhooks/stripe"
_REQUESTS = 3_000
_CONNECTIONS = 64
_ROUNDS = 5
_START_SECONDS = 30

app = FastAPI()


@app.post(_PATH)
async def empty() -> dict[str, str]:
    """The baseline: FastAPI's own cost of a request that does nothing."""
    return {}


def run() -> list[Result]:
    """Measure CPU time per request of both servers in turn."""
    with started() as platform, _empty_server() as (baseline_url, baseline_process):
        platform.stop("normalizer-1", "normalizer-2", "orchestrator", "inference")
        url = platform.environment["TIDEGATE_GATEWAY_URL"]
        gateway = platform.process("gateway")
        requests = contracted_requests(platform, url, _REQUESTS)
        latencies: list[float] = []

        def cpu(target: str, process: psutil.Process, expected: int, seen: list[float]) -> float:
            before = _cpu_seconds(process)
            answers = asyncio.run(send_all(target, requests, _CONNECTIONS))
            if {answer.status for answer in answers} != {expected}:
                raise AssertionError(f"{target} answered {sorted({answer.status for answer in answers})}")
            seen.extend(answer.seconds for answer in answers)
            return (_cpu_seconds(process) - before) / len(requests) * 1e6

        def ours() -> float:
            return cpu(url, gateway, 202, latencies)

        def baseline() -> float:
            return cpu(baseline_url, baseline_process, 200, [])

        ours(), baseline()  # warm both up
        latencies.clear()
        ours_us, baseline_us, ratio = interleaved(ours, baseline, _ROUNDS)
    what = "CPU per request: verified, decoded, published and acknowledged, against an empty handler"
    detail = {"p50_ms": percentile(latencies, 50) * 1e3, "p99_ms": percentile(latencies, 99) * 1e3}
    return [Result("gateway_cpu", what, "us CPU/request", ours_us, baseline_us, ratio, 1.0, "lower", detail)]


def contracted_requests(platform: Platform, url: str, count: int) -> Sequence[bytes]:
    """Signed requests with events that have a contract; real bodies of 2 to 6 KB."""
    secret = platform.environment["TIDEGATE_STRIPE_WEBHOOK_SECRET"].partition(",")[0]
    now = SystemClock().now()
    plan = Plan(seed=7, run_id="bench", per_second=1.0, rates=Rates())
    bodies = (d.body for d in simulated(plan, now) if d.expected is Expected.NORMALISED)
    return [
        request(
            url,
            _PATH,
            body,
            {
                "Content-Type": "application/json",
                "Stripe-Signature": signature_header(body, secret, int(now.timestamp()), Signing.VALID) or "",
            },
        )
        for body in islice(bodies, count)
    ]


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _empty_server() -> Iterator[tuple[str, psutil.Process]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        "--port",
        str(port),
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--log-level",
        "error",
    ]
    process = subprocess.Popen([sys.executable, "-m", "uvicorn", "bench.gateway:app", *options])
    url = f"http://127.0.0.1:{port}"
    try:
        _await_answer(url)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _await_answer(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.post(url + _PATH, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the baseline server did not start")
