"""The bridge starts a workflow for each message, commits only what is started, and holds back when it must."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from services.orchestrator.backlog import Backlog
from services.orchestrator.bridge import Bridge, FloodError
from services.orchestrator.handler import start_for_event
from services.orchestrator.planner import Planner
from services.orchestrator.ports import StartRefusedError, TemporalUnavailableError
from services.orchestrator.troubles import Troubles
from services.runtime.clock import FrozenClock
from services.runtime.consumer import Record
from services.runtime.errors import BrokenRule, InvalidMessageError, NeighbourUnavailableError, Position
from services.runtime.flood import FloodLimit
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.metrics import counter
from tests.fakes.orchestrator import FakeSource, FakeStarter, record
from tests.fakes.payments import RECEIPT, failed, failure, succeeded
from workflows.dlq_review.contract import DlqReviewInput

EVENTS, FAILURES = "events", "failures"


class PlainDecoder:
    """Messages without a frame; `unknown` values first need the registry, which is away for some calls."""

    def __init__(self, topic: str, message_type: type[Message]) -> None:
        self.topic = topic
        self.message_type = message_type
        self.registry_away = 0

    def decode(self, value: bytes | None, *, partition: int, offset: int) -> Message:
        if self.registry_away:
            self.registry_away -= 1
            raise NeighbourUnavailableError("schema registry", "as told")
        if value == b"poison":
            broken = BrokenRule("wire.unframed", "", "no frame")
            raise InvalidMessageError(Position(self.topic, partition, offset), [broken])
        message = self.message_type()
        message.ParseFromString(value or b"")
        return message


class Setup:
    """A bridge between a source and a starter in memory."""

    def __init__(self, records: Sequence[Record], in_flight: int = 10, poison_limit: int = 3) -> None:
        self.clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))
        self.source = FakeSource(list(records))
        self.starter = FakeStarter()
        self.troubles = Troubles()
        self.backlog = Backlog(in_flight, self.clock)
        self.events = PlainDecoder(EVENTS, UnifiedPaymentEvent)
        self.held = False
        self.bridge = Bridge(
            self.source,
            Planner({EVENTS: self.events, FAILURES: PlainDecoder(FAILURES, ValidationFailure)}, self.clock),
            self.starter,
            self.backlog,
            FloodLimit(poison_limit, 100),
            self.troubles,
            self.clock,
            on_hold=lambda: self.held,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        stopping = asyncio.Event()
        task = asyncio.create_task(self.bridge.run(stopping))
        try:
            yield task
        finally:
            stopping.set()
            await asyncio.wait([task])

    async def settle(self) -> None:
        """Let the bridge work for a moment in which some seconds pass on its clock."""
        for _ in range(20):
            self.clock.advance(timedelta(seconds=0.3))
            await asyncio.sleep(0.005)


def event_record(number: int, offset: int | None = None, partition: int = 0) -> Record:
    value = succeeded(str(number)).SerializeToString()
    return record(EVENTS, number if offset is None else offset, value, partition)


async def test_each_message_starts_the_workflow_of_its_event_and_is_then_committed() -> None:
    setup = Setup([event_record(0), event_record(1), record(FAILURES, 7, failure("9").SerializeToString())])
    async with setup.running():
        await setup.settle()
    assert sorted(setup.starter.started) == ["dlq-review:stripe:evt_9", "stripe:evt_0", "stripe:evt_1"]
    assert setup.source.committed == {(EVENTS, 0): 2, (FAILURES, 0): 8}


async def test_a_workflow_gets_the_place_of_its_message_and_its_ids_and_trace() -> None:
    value = succeeded("1").SerializeToString()
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    setup = Setup([record(EVENTS, 4, value, 3, traceparent=traceparent, other="not passed on")])
    async with setup.running():
        await setup.settle()
    start = setup.starter.started["stripe:evt_1"]
    order: Any = start.order
    assert (order.origin.topic, order.origin.partition, order.origin.offset) == (EVENTS, 3, 4)
    assert start.headers == {EVENT_ID: "stripe:evt_1", RECEIPT_ID: RECEIPT, "traceparent": traceparent}


async def test_nothing_behind_a_start_that_is_not_answered_is_committed() -> None:
    setup = Setup([event_record(number) for number in range(4)])
    setup.starter.gates["stripe:evt_1"] = asyncio.Event()
    async with setup.running():
        await setup.settle()
        assert setup.source.committed == {(EVENTS, 0): 1}
        setup.starter.gates["stripe:evt_1"].set()
        await setup.settle()
    assert setup.source.committed == {(EVENTS, 0): 4}


async def test_while_temporal_is_away_starts_are_tried_again_and_nothing_is_committed() -> None:
    setup = Setup([event_record(0)])
    setup.starter.failures["stripe:evt_0"] = [TemporalUnavailableError("Temporal answers UNAVAILABLE")] * 2
    async with setup.running():
        await setup.settle()
        assert setup.source.committed == {}
        assert setup.troubles.told() == "temporal: Temporal answers UNAVAILABLE"
        await asyncio.sleep(0.4)
        await setup.settle()
    assert setup.source.committed == {(EVENTS, 0): 1}
    assert setup.troubles.told() is None


async def test_no_more_is_read_than_may_be_in_flight_until_workflows_end() -> None:
    setup = Setup([event_record(number) for number in range(5)], in_flight=2)
    async with setup.running():
        await setup.settle()
        assert sorted(setup.starter.started) == ["stripe:evt_0", "stripe:evt_1"]
        setup.backlog.leave("stripe:evt_0")
        await setup.settle()
        assert sorted(setup.starter.started) == ["stripe:evt_0", "stripe:evt_1", "stripe:evt_2"]
        assert len(setup.backlog) == 2


async def test_while_full_for_long_the_source_is_held_but_still_called() -> None:
    setup = Setup([event_record(number) for number in range(2)], in_flight=1)
    async with setup.running():
        await asyncio.sleep(1.3)
        assert setup.source.holding
        reads = setup.source.reads
        setup.backlog.leave("stripe:evt_0")
        await setup.settle()
        assert setup.source.reads > reads
    assert "stripe:evt_1" in setup.starter.started


async def test_a_backlog_that_does_not_move_is_told() -> None:
    setup = Setup([event_record(0)], in_flight=1)
    async with setup.running():
        await setup.settle()
        assert setup.troubles.told() is None
        setup.clock.advance(timedelta(seconds=61))
        await asyncio.sleep(1.3)
        assert "all 1 places are taken" in str(setup.troubles.told())
        setup.backlog.leave("stripe:evt_0")
        await setup.settle()
        assert setup.troubles.told() is None


async def test_while_storage_is_away_nothing_is_started() -> None:
    setup = Setup([event_record(0)])
    setup.held = True
    async with setup.running():
        await setup.settle()
        assert (setup.starter.started, setup.source.holding) == ({}, True)
        setup.held = False
        await setup.settle()
    assert list(setup.starter.started) == ["stripe:evt_0"]


async def test_what_was_read_while_storage_went_away_waits_and_is_not_committed() -> None:
    setup = Setup([event_record(0)])
    read = setup.source.read

    def read_as_storage_goes(max_records: int, timeout_seconds: float) -> Sequence[Record]:
        records = read(max_records, timeout_seconds)
        setup.held = setup.held or bool(records)
        return records

    setup.source.read = read_as_storage_goes  # type: ignore[method-assign]
    async with setup.running():
        await setup.settle()
        assert (setup.starter.started, setup.source.committed) == ({}, {})
        setup.held = False
        await setup.settle()
    assert list(setup.starter.started) == ["stripe:evt_0"]


async def test_a_redelivered_event_whose_workflow_has_finished_is_committed_and_leaves_no_backlog() -> None:
    setup = Setup([event_record(0)])
    setup.starter.finished.add("stripe:evt_0")
    async with setup.running():
        await setup.settle()
    assert setup.source.committed == {(EVENTS, 0): 1}
    assert len(setup.backlog) == 0


async def test_a_message_that_cannot_be_read_is_kept_for_review_under_its_place() -> None:
    setup = Setup([record(EVENTS, 12, b"poison", 2), event_record(1, offset=13, partition=2)])
    async with setup.running():
        await setup.settle()
    order = setup.starter.started["dlq-review:events:2:12"].order
    assert isinstance(order, DlqReviewInput)
    assert order.failure.violations[0].rule_id == "wire.unframed"
    assert order.failure.origin.offset == 12
    assert "stripe:evt_1" in setup.starter.started
    assert setup.source.committed == {(EVENTS, 2): 14}


async def test_a_flood_of_unreadable_messages_stops_the_bridge_before_it_commits_them() -> None:
    setup = Setup([record(EVENTS, offset, b"poison") for offset in range(4)], poison_limit=3)
    async with setup.running() as task:
        await setup.settle()
        assert task.done()
    with pytest.raises(FloodError):
        task.result()
    assert setup.source.committed == {}


async def test_an_event_that_temporal_refuses_is_kept_for_review() -> None:
    setup = Setup([event_record(0)])
    setup.starter.failures["stripe:evt_0"] = [StartRefusedError("INVALID_ARGUMENT")]
    async with setup.running():
        await asyncio.sleep(0.2)
        await setup.settle()
    order = setup.starter.started["dlq-review:stripe:evt_0"].order
    assert isinstance(order, DlqReviewInput)
    assert order.failure.violations[0].rule_id == "workflow.refused"
    assert order.failure.origin.topic == EVENTS
    assert setup.source.committed == {(EVENTS, 0): 1}


async def test_a_record_that_needs_the_registry_waits_for_it() -> None:
    setup = Setup([event_record(0)])
    setup.events.registry_away = 1
    async with setup.running():
        await setup.settle()
        assert "schema registry" in str(setup.troubles.told())
        await asyncio.sleep(1.1)
        await setup.settle()
    assert setup.source.committed == {(EVENTS, 0): 1}


async def test_a_source_that_cannot_go_on_ends_the_bridge() -> None:
    setup = Setup([])
    setup.source.failures.append(NeighbourUnavailableError("Kafka", "_FATAL"))
    async with setup.running() as task:
        await setup.settle()
    with pytest.raises(NeighbourUnavailableError):
        task.result()


async def test_a_defect_in_a_start_ends_the_bridge_instead_of_being_passed_over() -> None:
    setup = Setup([event_record(0)])
    setup.starter.failures["stripe:evt_0"] = [KeyError("a defect")]
    async with setup.running() as task:
        await setup.settle()
    with pytest.raises(KeyError):
        task.result()
    assert setup.source.committed == {}


async def test_partitions_that_went_to_another_member_are_committed_no_more() -> None:
    setup = Setup([event_record(0)])
    setup.starter.gates["stripe:evt_0"] = asyncio.Event()
    async with setup.running():
        await setup.settle()
        setup.source.revoked.append((EVENTS, 0))
        await setup.settle()
        setup.starter.gates["stripe:evt_0"].set()
        await setup.settle()
    assert setup.source.committed == {}


async def test_finishing_lets_starts_in_flight_end_and_commits_them() -> None:
    setup = Setup([event_record(0), event_record(1)])
    for gate in ("stripe:evt_0", "stripe:evt_1"):
        setup.starter.gates[gate] = asyncio.Event()
    async with setup.running():
        await setup.settle()
    setup.starter.gates["stripe:evt_0"].set()
    await setup.bridge.finish(0.05)
    assert setup.source.committed == {(EVENTS, 0): 1}


async def test_workflows_that_ended_elsewhere_are_swept_out_of_the_backlog() -> None:
    setup = Setup([event_record(0), event_record(1)])
    async with setup.running():
        await setup.settle()
    setup.starter.finished.add("stripe:evt_0")
    await setup.bridge.sweep()
    assert len(setup.backlog) == 2
    setup.clock.advance(timedelta(seconds=60))
    await setup.bridge.sweep()
    assert setup.backlog.strays(0) == ["stripe:evt_1"]


def losses(status: str) -> float:
    return float(counter("tidegate_workflow_losses_total").labels(status)._value.get())


async def test_a_workflow_that_was_terminated_is_counted_once_and_its_event_starts_anew_when_delivered_again() -> None:
    setup = Setup([event_record(0), event_record(1)])
    before = losses("terminated")
    async with setup.running():
        await setup.settle()
        setup.starter.lost["stripe:evt_0"] = "terminated"
        setup.starter.finished.add("stripe:evt_1")
        setup.clock.advance(timedelta(seconds=60))
        await setup.bridge.sweep()
        await setup.bridge.sweep()
        assert losses("terminated") == before + 1
        setup.source.records.append(event_record(0, offset=2))
        await setup.settle()
    assert setup.backlog.strays(0) == ["stripe:evt_0"]
    assert setup.source.committed == {(EVENTS, 0): 3}


async def test_temporal_that_is_away_is_told_while_nothing_is_started() -> None:
    setup = Setup([])
    setup.starter.away = TemporalUnavailableError("Temporal does not answer: UNAVAILABLE")
    await setup.bridge.ask_temporal()
    assert setup.troubles.told() == "temporal front end: Temporal does not answer: UNAVAILABLE"
    setup.starter.away = None
    await setup.bridge.ask_temporal()
    assert setup.troubles.told() is None


def failed_record(number: int, card: str = "fp_ada") -> Record:
    event = failed(str(number), card_fingerprint=card, customer_id=None)
    return record(EVENTS, number, event.SerializeToString(), 0)


async def test_failures_on_one_card_are_started_one_after_another_and_in_order() -> None:
    setup = Setup([failed_record(0), failed_record(1), failed_record(2, "fp_bob"), event_record(3), failed_record(4)])
    async with setup.running():
        await setup.settle()
        assert list(setup.starter.started) == ["stripe:evt_0", "stripe:evt_2", "stripe:evt_3"]
        assert setup.source.committed == {(EVENTS, 0): 1}
        setup.backlog.leave("stripe:evt_0")
        await setup.settle()
        assert list(setup.starter.started)[3:] == ["stripe:evt_1"]
        setup.backlog.leave("stripe:evt_1")
        await setup.settle()
    assert list(setup.starter.started)[4:] == ["stripe:evt_4"]
    assert setup.source.committed == {(EVENTS, 0): 5}


async def test_an_event_delivered_again_while_it_waits_for_its_turn_does_not_jump_the_queue() -> None:
    again = record(EVENTS, 2, failed_record(1).value, 0)
    setup = Setup([failed_record(0), failed_record(1), again])
    async with setup.running():
        await setup.settle()
        assert list(setup.starter.started) == ["stripe:evt_0"]
        setup.backlog.leave("stripe:evt_0")
        await setup.settle()
    assert list(setup.starter.started) == ["stripe:evt_0", "stripe:evt_1"]
    assert setup.source.committed == {(EVENTS, 0): 3}


async def test_whose_turn_comes_while_storage_is_away_waits_on() -> None:
    setup = Setup([failed_record(0), failed_record(1)])
    async with setup.running():
        await setup.settle()
        setup.held = True
        setup.backlog.leave("stripe:evt_0")
        await setup.settle()
        assert list(setup.starter.started) == ["stripe:evt_0"]
        setup.held = False
        await asyncio.sleep(0.2)
    assert list(setup.starter.started) == ["stripe:evt_0", "stripe:evt_1"]


async def test_what_still_waits_for_its_turn_at_the_end_is_not_committed_and_leaves_no_backlog() -> None:
    setup = Setup([failed_record(0), failed_record(1)])
    async with setup.running():
        await setup.settle()
    await setup.bridge.finish(0.05)
    await asyncio.sleep(0)
    assert setup.source.committed == {(EVENTS, 0): 1}
    assert setup.backlog.strays(0) == ["stripe:evt_0"]
    assert len(setup.backlog) == 1


async def test_while_temporal_is_away_for_long_no_failure_on_the_card_gets_ahead() -> None:
    setup = Setup([failed_record(0), failed_record(1)])
    setup.starter.failures["stripe:evt_0"] = [TemporalUnavailableError("Temporal answers UNAVAILABLE")] * 3
    async with setup.running():
        await setup.settle()
        setup.clock.advance(timedelta(minutes=5))
        await setup.bridge.sweep()
        await asyncio.sleep(0.9)
        assert list(setup.starter.started) == ["stripe:evt_0"]
        setup.backlog.leave("stripe:evt_0")
        await setup.settle()
    assert list(setup.starter.started) == ["stripe:evt_0", "stripe:evt_1"]


async def test_a_workflow_found_running_is_looked_for_at_the_next_sweep() -> None:
    """After a rebalance it runs in the process that had its partition: its end is told there."""
    setup = Setup([failed_record(0), failed_record(1)])
    setup.starter.started["stripe:evt_0"] = start_for_event(failed("0"), Position(EVENTS, 0, 0), {})
    async with setup.running():
        await setup.settle()
        assert len(setup.backlog) == 2
        setup.starter.finished.add("stripe:evt_0")
        await setup.bridge.sweep()
        await setup.settle()
    assert list(setup.starter.started) == ["stripe:evt_0", "stripe:evt_1"]
    assert setup.backlog.strays(0) == ["stripe:evt_1"]


async def test_starts_that_are_given_up_at_the_end_take_no_place() -> None:
    setup = Setup([event_record(0)])
    setup.starter.gates["stripe:evt_0"] = asyncio.Event()
    async with setup.running():
        await setup.settle()
    await setup.bridge.finish(0.05)
    assert len(setup.backlog) == 0
