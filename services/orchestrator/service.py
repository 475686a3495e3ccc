"""Wires the orchestrator and runs it: start in any order, stop in one."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from temporalio.client import Client
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from services.orchestrator.adapters.attempts import PostgresAttempts
from services.orchestrator.adapters.business_rules import PostgresBusinessRules
from services.orchestrator.adapters.database import Database
from services.orchestrator.adapters.decision_log import KafkaDecisionLog
from services.orchestrator.adapters.decision_store import PostgresDecisionStore
from services.orchestrator.adapters.interceptors import StepInterceptor
from services.orchestrator.adapters.kafka_source import KafkaSource
from services.orchestrator.adapters.outbox import PostgresOutbox
from services.orchestrator.adapters.quarantine import PostgresQuarantine
from services.orchestrator.adapters.scoring import GrpcScoring
from services.orchestrator.adapters.temporal import TemporalStarter, connect, logged_runtime, worker
from services.orchestrator.backlog import Backlog
from services.orchestrator.bridge import Bridge, FloodError
from services.orchestrator.outage import Outage
from services.orchestrator.planner import Planner
from services.orchestrator.ports import TemporalUnavailableError
from services.orchestrator.relay import Relay
from services.orchestrator.settings import (
    DatabaseSettings,
    InferenceSettings,
    OrchestratorSettings,
    TemporalSettings,
)
from services.orchestrator.troubles import Troubles
from services.runtime.clock import Clock
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.flood import FloodLimit
from services.runtime.serde import SchemaIds, TopicSerde
from services.runtime.settings import KafkaSettings
from services.runtime.telemetry import logger
from workflows.dlq_review.activities import DlqReviewActivities
from workflows.payment_event.activities import PaymentEventActivities

log = logger(__name__)

_RETRY_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 3.0
_WATCH_SECONDS: Final = 1.0
_STARTS_SECONDS: Final = 5.0
_RELAY_SECONDS: Final = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of the topics and of what belongs to them, so that tests can have their own."""

    events: str = "payments.normalized"
    failures: str = "payments.validation.dlq"
    decisions: str = "payments.decisions"
    task_queue: str = "payment-events"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the orchestrator is told."""

    orchestrator: OrchestratorSettings
    kafka: KafkaSettings
    temporal: TemporalSettings
    database: DatabaseSettings
    inference: InferenceSettings
    instance: str


class _StoppedError(Exception):
    """Asked to stop before everything was there."""


class Orchestrator:
    """Bridge, worker and relay of one process."""

    def __init__(self, settings: Settings, topics: Topics, schema_ids: Callable[[], SchemaIds], clock: Clock) -> None:
        self._settings = settings
        self._topics = topics
        self._schema_ids = schema_ids
        self._clock = clock
        self._troubles = Troubles()
        self._troubles.note("start", "starting")
        url = settings.database.database_url.get_secret_value()
        self._database = Database(url, application=settings.instance)
        self._outbox = PostgresOutbox(url, topic=topics.decisions, application=f"{settings.instance}-relay")
        self._outage = Outage(clock, patience_seconds=settings.inference.inference_patience_seconds)
        self._failure: BaseException | None = None

    def missing(self) -> str | None:
        """What keeps it from its work; None when ready. Asked from the probes' thread."""
        if self._database.trouble is None:
            self._troubles.clear("storage")
        else:
            self._troubles.note("storage", self._database.trouble)
        if (awaited := self._outage.awaited()) is None:
            self._troubles.clear("inference")
        else:
            self._troubles.note("inference", f"{awaited}; no workflow is started until it is back, or given up")
        return self._troubles.told()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until stopping, then stop in order; raises what made a part fail."""
        with suppress(_StoppedError):
            async with AsyncExitStack() as stack:
                await self._run(stack, stopping)
        if self._failure is not None:
            raise self._failure

    async def _run(self, stack: AsyncExitStack, stopping: asyncio.Event) -> None:
        """Start the parts; the stack stops them in the reverse order, once the bridge has ended."""
        backlog = Backlog(self._settings.orchestrator.workflows_in_flight, self._clock)
        await self._database.open()
        stack.push_async_callback(self._database.close)
        watch = self._part(self._database.watch(_WATCH_SECONDS), stopping)
        stack.push_async_callback(_cancel, watch)
        serdes = await self._until("schema registry", stopping, lambda: asyncio.to_thread(self._open_serdes))
        client = await self._until("temporal", stopping, lambda: connect(self._settings.temporal, logged_runtime()))
        relay = self._start_relay(stack, serdes, stopping)
        await self._start_worker(stack, client, backlog, relay, stopping)
        starter = TemporalStarter(client, self._topics.task_queue)
        planner = Planner({self._topics.events: serdes.events, self._topics.failures: serdes.failures}, self._clock)
        self._troubles.clear("start")
        log.info("process.started", in_flight=self._settings.orchestrator.workflows_in_flight)
        await self._run_bridges(planner, starter, backlog, stopping)
        self._troubles.note("start", "stopping")
        log.info("process.stopping", workflows=len(backlog))

    def _open_serdes(self) -> "_Serdes":
        ids = self._schema_ids()
        return _Serdes(
            TopicSerde(self._topics.events, UnifiedPaymentEvent, ids),
            TopicSerde(self._topics.failures, ValidationFailure, ids),
            TopicSerde(self._topics.decisions, PaymentDecision, ids),
        )

    def _start_relay(self, stack: AsyncExitStack, serdes: "_Serdes", stopping: asyncio.Event) -> Relay:
        settings = self._settings.orchestrator

        def open_log() -> KafkaDecisionLog:
            return KafkaDecisionLog(
                self._settings.kafka.producer_config(),
                serdes.decisions,
                transactional_id=settings.relay_transactional_id,
            )

        relay = Relay(self._outbox, open_log, self._troubles, self._clock, batch_rows=settings.relay_batch_rows)
        task = self._part(relay.run(), stopping)

        async def stop() -> None:
            await relay.wait_until_idle(_RELAY_SECONDS)
            await _cancel(task)

        stack.push_async_callback(stop)
        return relay

    async def _start_worker(
        self, stack: AsyncExitStack, client: Client, backlog: Backlog, relay: Relay, stopping: asyncio.Event
    ) -> None:
        settings = self._settings
        rows = settings.database.persist_batch_rows
        scoring = GrpcScoring(settings.inference, self._outage)
        stack.push_async_callback(scoring.close)
        stack.push_async_callback(_cancel, self._part(scoring.watch(_WATCH_SECONDS), stopping))
        steps = PaymentEventActivities(
            PostgresBusinessRules(self._database, batch_rows=rows),
            PostgresAttempts(self._database),
            scoring,
            PostgresDecisionStore(self._database, batch_rows=rows, stored=relay.ring),
            self._clock,
        )
        reviews = DlqReviewActivities(PostgresQuarantine(self._database, batch_rows=rows))
        loop = asyncio.get_running_loop()

        def ended(workflow_id: str) -> None:
            # Told on one of the SDK's threads; whoever waits for the backlog waits in the loop.
            loop.call_soon_threadsafe(backlog.leave, workflow_id)

        running = worker(
            client,
            [*steps.all, *reviews.all],
            StepInterceptor(self._clock, ended=ended),
            in_flight=settings.orchestrator.workflows_in_flight,
            task_queue=self._topics.task_queue,
        )
        task = self._part(running.run(), stopping)

        async def stop() -> None:
            # Most workflows end within milliseconds; those that wait for a neighbour go on in another process.
            await backlog.wait_until_empty(settings.orchestrator.drain_timeout_seconds)
            await running.shutdown()
            with suppress(Exception):
                await task

        stack.push_async_callback(stop)

    async def _run_bridges(
        self, planner: Planner, starter: TemporalStarter, backlog: Backlog, stopping: asyncio.Event
    ) -> None:
        """One bridge after another: a consumer that cannot go on is replaced."""
        settings = self._settings.orchestrator
        while not stopping.is_set():
            source = KafkaSource(
                self._settings.kafka.client_config(),
                group=settings.consumer_group,
                topics=[self._topics.events, self._topics.failures],
            )
            bridge = Bridge(
                source,
                planner,
                starter,
                backlog,
                FloodLimit(settings.poison_limit, settings.poison_window),
                self._troubles,
                self._clock,
                on_hold=self._is_on_hold,
            )
            sweeper = self._part(_repeat(bridge.sweep, _SWEEP_SECONDS), stopping)
            asker = self._part(_repeat(bridge.ask_temporal, _WATCH_SECONDS), stopping)
            try:
                await self._run_bridge(bridge, stopping)
            finally:
                await _cancel(sweeper)
                await _cancel(asker)
                await bridge.finish(_STARTS_SECONDS)
                await asyncio.to_thread(source.close)

    def _is_on_hold(self) -> bool:
        return self._database.trouble is not None or self._outage.awaited() is not None

    async def _run_bridge(self, bridge: Bridge, stopping: asyncio.Event) -> None:
        try:
            await bridge.run(stopping)
        except NeighbourUnavailableError as error:
            self._troubles.note("kafka", str(error))
            log.warning("broker.unavailable", reason=str(error))
            await _wait(stopping, _RETRY_SECONDS)
        except FloodError as error:
            # Stays up, not ready, until somebody looks: a restart by a supervisor would read on.
            self._troubles.note("flood", f"stopped: {error}")
            await stopping.wait()

    async def _until(self, neighbour: str, stopping: asyncio.Event, reach: Callable[[], Awaitable[T]]) -> T:
        """Try until it answers; what is wrong is told by `missing`."""
        while not stopping.is_set():
            try:
                reached = await reach()
            except (NeighbourUnavailableError, DeployStepMissingError, TemporalUnavailableError) as error:
                if str(error) != self._troubles.of(neighbour):
                    log.warning("process.waiting", reason=str(error))
                self._troubles.note(neighbour, str(error))
                await _wait(stopping, _RETRY_SECONDS)
            else:
                self._troubles.clear(neighbour)
                return reached
        raise _StoppedError

    def _part(self, work: Coroutine[Any, Any, None], stopping: asyncio.Event) -> asyncio.Task[None]:
        """Run a part beside the others; when it fails, everything stops."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._failure = self._failure or error
                stopping.set()

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        return task


@dataclass(frozen=True, slots=True)
class _Serdes:
    """How values are framed, by topic."""

    events: TopicSerde[UnifiedPaymentEvent]
    failures: TopicSerde[ValidationFailure]
    decisions: TopicSerde[PaymentDecision]


async def _repeat(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await work()


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
