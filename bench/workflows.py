"""Workflows per second against the same steps as regular activities, and against an empty workflow; history per event.

All three run on the same Temporal server, in this process, one after another in each round, 50 in flight, started
eagerly, with the platform's interceptors and the same payload, and as many workflows each. The steps' neighbours are in
memory here, so that what is measured is the workflow. The regular form is what one would write first: five activities,
one after another (rules, fraud, churn, persist, publish), on a worker with the SDK's own numbers of pollers; ours are
chosen for local activities, which nobody polls for.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import uvloop
from temporalio import activity, workflow
from temporalio.client import Client
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from bench.measure import Result
from bench.platform import started
from bench.samples import unified_event
from services.orchestrator.adapters import temporal
from services.orchestrator.adapters.interceptors import StepInterceptor
from services.orchestrator.adapters.temporal import TemporalStarter, connect
from services.orchestrator.handler import WorkflowStart, start_for_event
from services.orchestrator.settings import TemporalSettings
from services.runtime.clock import SystemClock
from services.runtime.errors import Position
from tests.fakes.scoring import FakeScoring
from tests.fakes.storage import FakeAttempts, FakeDecisionStore, FakeRules
from workflows.payment_event.activities import PaymentEventActivities
from workflows.payment_event.contract import WORKFLOW, PaymentEventInput
from workflows.payment_event.workflow import PaymentEventWorkflow

_IN_FLIGHT = 50
_WORKFLOWS = 600
_WARM_UP = 100
_ROUNDS = 3
_MOST_HISTORY_EVENTS = 12
_STEP_TIMEOUT = timedelta(seconds=10)
_SDK_POLLERS = {"workflow_pollers": 5, "activity_pollers": 5}
_REGULAR_STEPS = ("rules", "fraud", "churn", "persist", "publish")


@activity.defn(name="bench_step")
async def regular_step(order: PaymentEventInput) -> PaymentEventInput:
    """A step that does nothing but carry the event."""
    return order


@workflow.defn(name="BenchRegularWorkflow")
class RegularWorkflow:
    """The same steps, each a regular activity."""

    @workflow.run
    async def run(self, order: PaymentEventInput) -> PaymentEventInput:
        """One step after another."""
        for _ in _REGULAR_STEPS:
            order = await workflow.execute_activity(regular_step, order, start_to_close_timeout=_STEP_TIMEOUT)
        return order


@workflow.defn(name="BenchEmptyWorkflow")
class EmptyWorkflow:
    """The server's own cost of a workflow."""

    @workflow.run
    async def run(self, _: PaymentEventInput) -> None:
        """Nothing."""


class _Runner:
    """One workload: a worker and a starter on a task queue of its own, 50 workflows in flight."""

    def __init__(
        self, client: Client, kind: type, name: str, steps: Sequence[Callable[..., Any]], **pollers: int
    ) -> None:
        self._name = name
        self._ended: dict[str, asyncio.Event] = {}
        self._starter = TemporalStarter(client, f"bench-{name}")
        interceptor = StepInterceptor(SystemClock(), ended=self._note_end)
        queue = f"bench-{name}"
        self.worker = temporal.worker(
            client, steps, interceptor, in_flight=_IN_FLIGHT, task_queue=queue, workflows=[kind], **pollers
        )

    async def speed(self, events: Sequence[UnifiedPaymentEvent]) -> float:
        """Workflows per second from the first start to the last end."""
        slots = asyncio.Semaphore(_IN_FLIGHT)
        start = time.perf_counter()
        await asyncio.gather(*(self._run(event, slots) for event in events))
        return len(events) / (time.perf_counter() - start)

    async def _run(self, event: UnifiedPaymentEvent, slots: asyncio.Semaphore) -> None:
        order = start_for_event(event, Position("bench", 0, 0), {})
        ended = self._ended[order.workflow_id] = asyncio.Event()
        async with slots:
            await self._starter.start(WorkflowStart(self._name, order.workflow_id, order.order, order.headers))
            await ended.wait()

    def _note_end(self, workflow_id: str) -> None:
        self._ended.pop(workflow_id).set()


def run() -> list[Result]:
    """Measure the three in turn, then look at one history."""
    with started("--engines-only") as platform:
        return uvloop.run(_measure(platform.environment["TIDEGATE_TEMPORAL_ADDRESS"]))


async def _measure(address: str) -> list[Result]:
    client = await connect(TemporalSettings(temporal_address=address))
    steps = PaymentEventActivities(FakeRules(), FakeAttempts(), FakeScoring(), FakeDecisionStore(), SystemClock())
    ours = _Runner(client, PaymentEventWorkflow, WORKFLOW, steps.all)
    regular = _Runner(client, RegularWorkflow, "BenchRegularWorkflow", [regular_step], **_SDK_POLLERS)
    empty = _Runner(client, EmptyWorkflow, "BenchEmptyWorkflow", [])
    fresh = _fresh_events()
    speeds: list[tuple[float, float, float]] = []
    async with ours.worker, regular.worker, empty.worker:
        for runner in (ours, regular, empty):
            await runner.speed([next(fresh) for _ in range(_WARM_UP)])
        for _ in range(_ROUNDS):
            ours_speed = await ours.speed([next(fresh) for _ in range(_WORKFLOWS)])
            regular_speed = await regular.speed([next(fresh) for _ in range(_WORKFLOWS)])
            empty_speed = await empty.speed([next(fresh) for _ in range(_WORKFLOWS)])
            speeds.append((ours_speed, regular_speed, empty_speed))
        last = next(fresh)
        await ours.speed([last])
        history = await client.get_workflow_handle(last.event_id).fetch_history()
    return [
        _compared("workflow_vs_activities", "the same as five regular activities", [(o, r) for o, r, _ in speeds], 3.0),
        _compared("workflow_vs_empty", "an empty workflow, started eagerly", [(o, e) for o, _, e in speeds], 0.5),
        Result(
            "workflow_events",
            "history events of one payment event, against the bar of 12",
            "events",
            len(history.events),
            _MOST_HISTORY_EVENTS,
            len(history.events) / _MOST_HISTORY_EVENTS,
            1.0,
            "lower",
            {},
        ),
    ]


def _compared(id_: str, against: str, pairs: Sequence[tuple[float, float]], bar: float) -> Result:
    ours, baseline = (sorted(side)[len(pairs) // 2] for side in zip(*pairs, strict=True))
    ratio = sorted(ours / baseline for ours, baseline in pairs)[len(pairs) // 2]
    what = f"workflows per second at {_IN_FLIGHT} in flight, against {against}"
    return Result(id_, what, "workflows/s", ours, baseline, ratio, bar, "higher", {})


def _fresh_events() -> Any:
    for number in count():
        event = unified_event()
        event.event_id = f"stripe:evt_bench{number}"
        yield event
