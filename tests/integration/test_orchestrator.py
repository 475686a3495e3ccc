"""The orchestrator as processes on the real engines: nothing is lost and nothing done twice, whatever goes away."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.service import Topics
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from tests.fakes.payments import RECEIPT, failed, failure, refunded, succeeded
from tests.fakes.proxy import Proxy
from tests.fakes.scoring import InferenceServer, serving
from tests.integration.conftest import Database, MakeTopic
from tests.integration.orchestrator_set import OrchestratorSet, Process, free_port
from tests.integration.temporal_server import TemporalServer

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Stage:
    """An orchestrator's surroundings, with models that do as they are told."""

    set: OrchestratorSet
    inference: InferenceServer
    # Workflow ids are one space for all tests: each test's events have names of their own.
    token: str

    def name(self, name: str) -> str:
        """A name that no other test has."""
        return f"{name}-{self.token}"

    def events(self, count: int, prefix: str = "e") -> list[UnifiedPaymentEvent]:
        """Events of several merchants: successes, failures, refunds of guests."""
        kinds = (succeeded, failed, refunded)
        return [
            kinds[number % 3](self.name(f"{prefix}{number}"), merchant_id=f"acct_{number % 7}")
            for number in range(count)
        ]

    async def start(self, **settings: str) -> Process:
        process = self.set.launch(free_port(), **settings)
        await process.ready()
        return process

    async def assert_each_once(self, events: int) -> None:
        """Each event has one row, one decision and one message, and nothing waits."""
        await self.set.until("decisions", events, 90)
        await self.set.until("decision_outbox", 0, 60)
        assert await self.set.count("payment_events") == events
        published = Counter(self.set.event_ids(await self.set.published(events)))
        assert len(published) == events
        assert set(published.values()) == {1}


async def until(ask: Callable[[], Awaitable[str]], part: str) -> None:
    """Return once what is asked has that part."""
    async with asyncio.timeout(40):
        while part not in await ask():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.2)


@pytest.fixture
async def stage(
    database: Database, make_topic: MakeTopic, unique_name: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[Stage]:
    topics = Topics(
        make_topic("payments.normalized", partitions=3),
        make_topic("payments.validation.dlq"),
        make_topic("payments.decisions", partitions=3),
        unique_name("queue"),
    )
    inference = InferenceServer()
    async with serving(inference) as address:
        surroundings = OrchestratorSet(database.environment("writer"), database.url("owner"), topics, tmp_path, address)
        await surroundings.query(
            "TRUNCATE tidegate.payment_events, tidegate.decisions, tidegate.decision_outbox,"
            " tidegate.quarantine, tidegate.relay_progress"
        )
        try:
            yield Stage(surroundings, inference, topics.task_queue.rpartition(".")[2])
        finally:
            surroundings.stop_all()


async def test_events_become_decisions_and_failures_are_kept(stage: Stage, expected_errors: set[str]) -> None:
    expected_errors.add("message.poison")
    process = await stage.start()
    stage.set.publish_events(stage.events(30), {"traceparent": TRACEPARENT})
    stage.set.publish_failures([failure(stage.name("bad")), failure(stage.name("bad"))])
    stage.set.publish_raw(stage.set.topics.events, b"no frame")
    await stage.assert_each_once(30)
    await stage.set.until("quarantine", 2)

    actions = await stage.set.query("SELECT action, count(*) FROM tidegate.decisions WHERE NOT degraded GROUP BY 1")
    assert dict(actions) == {"approve": 10, "retry": 10, "record": 10}
    kept = dict(await stage.set.query("SELECT event_id, rule_ids[1] FROM tidegate.quarantine"))
    assert kept.pop(f"stripe:evt_{stage.name('bad')}") == "currency.unsupported"
    assert list(kept.values()) == ["wire.unframed"]

    metadata = stage.inference.metadata[0]
    assert metadata[RECEIPT_ID] == RECEIPT
    assert metadata[EVENT_ID].startswith("stripe:evt_e")
    assert metadata["traceparent"].split("-")[1] == TRACEPARENT.split("-")[1]
    for message in await stage.set.published(30):
        headers = {name: value.decode() for name, value in message.headers()}
        assert headers[RECEIPT_ID] == RECEIPT
        assert headers["traceparent"].split("-")[1] == TRACEPARENT.split("-")[1]

    metrics = await process.metrics()
    assert 'tidegate_workflows_total{outcome="started",workflow="PaymentEventWorkflow"} 30.0' in metrics
    assert 'tidegate_decisions_total{action="approve",degraded="false"} 10.0' in metrics
    assert "tidegate_outbox_published_total 30.0" in metrics
    assert 'tidegate_step_duration_seconds_count{outcome="done",step="persist_decision"} 30.0' in metrics
    assert process.stop() == 0
    log = process.log.read_text()
    assert '"event": "process.stopped"' in log
    assert "cus_ada" not in log
    assert "Traceback" not in log


async def test_an_event_delivered_fifty_times_to_two_processes_has_one_effect(stage: Stage) -> None:
    await stage.start()
    await stage.start()
    twin = succeeded(stage.name("twin"))
    copies = [UnifiedPaymentEvent() for _ in range(50)]
    for number, copy in enumerate(copies):
        copy.CopyFrom(twin)
        copy.merchant_id = f"acct_{number}"  # another key: copies lie on all partitions
    stage.set.publish_events(copies)
    await stage.set.until("decisions", 1)
    stage.set.publish_events(copies[:10])
    stage.set.publish_events(stage.events(20))
    await stage.assert_each_once(21)


async def test_a_workflow_that_is_closed_is_not_run_again(stage: Stage) -> None:
    first = await stage.start()
    stage.set.publish_events(stage.events(6))
    await stage.assert_each_once(6)
    first.stop()
    calls = len(stage.inference.calls)
    second = await stage.start(consumer_group=f"again.{stage.set.topics.task_queue}")
    finished = 'tidegate_workflows_total{outcome="finished",workflow="PaymentEventWorkflow"} 6.0'
    await until(second.metrics, finished)
    assert len(stage.inference.calls) == calls
    await stage.assert_each_once(6)


async def test_where_temporal_has_forgotten_a_workflow_the_primary_key_decides(stage: Stage, tmp_path: Path) -> None:
    first = await stage.start()
    stage.set.publish_events(stage.events(6))
    await stage.assert_each_once(6)
    first.stop()
    before = await stage.set.query("SELECT * FROM tidegate.decisions ORDER BY event_id")
    forgetful = TemporalServer(tmp_path, free_port())
    await forgetful.start()
    try:
        group = f"again.{stage.set.topics.task_queue}"
        second = await stage.start(temporal_address=forgetful.address, consumer_group=group)
        await until(second.metrics, 'outcome="done",step="persist_decision"} 6.0')
        assert "tidegate_decisions_total{" not in await second.metrics()
        assert second.stop() == 0
    finally:
        forgetful.kill()
    assert await stage.set.query("SELECT * FROM tidegate.decisions ORDER BY event_id") == before
    await stage.assert_each_once(6)


async def test_a_process_killed_in_the_middle_of_its_workflows_loses_none_and_repeats_none(stage: Stage) -> None:
    first = await stage.start()
    stage.set.publish_events(stage.events(40, "before"))
    await stage.set.until_more("decisions", 5)
    first.kill()
    stage.set.publish_events(stage.events(20, "after"))
    second = await stage.start()
    await stage.assert_each_once(60)
    second.kill()


async def test_while_inference_is_away_events_are_decided_degraded_and_after_it_is_back_in_full(stage: Stage) -> None:
    stage.inference.status = grpc.StatusCode.UNAVAILABLE
    process = await stage.start(inference_patience_seconds="1")
    stage.set.publish_events([succeeded(stage.name("away")), failed(stage.name("away-too"))])
    await stage.set.until("decisions", 2)
    rows = await stage.set.query("SELECT action, degraded, degraded_steps FROM tidegate.decisions")
    assert rows == [("review", True, ["assess_payment"])] * 2
    stage.inference.status = None
    stage.set.publish_events([succeeded(stage.name("back"))])
    await stage.set.until("decisions", 3)
    assert await stage.set.query("SELECT action FROM tidegate.decisions WHERE NOT degraded") == [("approve",)]
    assert await process.readiness() == "ready"
    await stage.assert_each_once(3)


async def test_a_restart_of_inference_degrades_no_event(stage: Stage) -> None:
    process = await stage.start()
    for second in range(10):
        if second == 2:
            stage.inference.status = grpc.StatusCode.UNAVAILABLE
        if second == 5:
            assert "inference:" in await process.readiness()
        if second == 8:
            stage.inference.status = None
        stage.set.publish_events(stage.events(10, f"second{second}-"))
        await asyncio.sleep(1)
    await stage.assert_each_once(100)
    assert await stage.set.query("SELECT count(*) FROM tidegate.decisions WHERE degraded") == [(0,)]
    assert await process.readiness() == "ready"


async def test_while_postgresql_is_away_nothing_new_is_started_and_nothing_is_lost(stage: Stage) -> None:
    url = stage.set.environment["TIDEGATE_DATABASE_URL"]
    async with Proxy("127.0.0.1", urlsplit(url).port or 0) as proxy:
        process = await stage.start(database_url=proxy.instead_of(url))
        stage.set.publish_events(stage.events(20, "before"))
        await stage.set.until_more("decisions", 3)
        await proxy.cut()
        await until(process.readiness, "storage:")
        stage.set.publish_events(stage.events(20, "during"))
        await asyncio.sleep(10)  # longer than the local attempts of those in flight
        await proxy.open()
        async with asyncio.timeout(10):  # however long it was away
            await process.ready()
        await stage.assert_each_once(40)
        degraded = await stage.set.query("SELECT event_id FROM tidegate.decisions WHERE degraded")
        assert all("before" in event_id for (event_id,) in degraded)
        assert process.stop() == 0


async def test_temporal_killed_and_started_again_under_load_loses_no_workflow(stage: Stage, tmp_path: Path) -> None:
    temporal = TemporalServer(tmp_path, free_port())
    await temporal.start()
    try:
        process = await stage.start(temporal_address=temporal.address)
        stage.set.publish_events(stage.events(60, "before"))
        await stage.set.until_more("decisions", 5)
        temporal.kill()
        stage.set.publish_events(stage.events(20, "during"))
        await asyncio.sleep(2)
        await temporal.start()
        await stage.assert_each_once(80)
        await process.ready()
        temporal.kill()  # with nothing to start
        await until(process.readiness, "temporal front end: Temporal does not answer")
    finally:
        temporal.kill()


async def test_a_process_that_starts_before_its_neighbours_says_what_it_waits_for(stage: Stage) -> None:
    process = stage.set.launch(free_port(), temporal_address="127.0.0.1:1")
    await until(process.readiness, "temporal: Temporal at 127.0.0.1:1 does not answer")
    assert process.stop() == 0


async def test_a_flood_of_unreadable_messages_stops_reading_loudly(stage: Stage, expected_errors: set[str]) -> None:
    expected_errors |= {"message.poison", "flood.stopped"}
    process = await stage.start(poison_limit="5", poison_window="50")
    for _ in range(20):
        stage.set.publish_raw(stage.set.topics.failures, b"no frame")
    await until(process.readiness, "cannot be read")
    assert await stage.set.count("quarantine") <= 6
    assert process.stop() == 0


async def test_a_process_stopped_under_load_ends_in_order_and_the_next_one_goes_on(stage: Stage) -> None:
    first = await stage.start()
    stage.set.publish_events(stage.events(80))
    await stage.set.until_more("decisions", 5)
    assert await asyncio.to_thread(first.stop) == 0
    assert '"event": "process.stopped"' in first.log.read_text()
    await stage.start()
    await stage.assert_each_once(80)
    degraded = await stage.set.query("SELECT count(*) FROM tidegate.decisions WHERE degraded")
    assert degraded == [(0,)]
