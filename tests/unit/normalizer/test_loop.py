"""The loop: nothing counted twice, nothing skipped, and a flood stopped."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook

from services.normalizer.loop import FloodStoppedError, Loop
from services.normalizer.pipeline import Pipeline
from services.normalizer.ports import StreamLostError
from services.normalizer.sources import TOPICS
from services.runtime.clock import FrozenClock
from services.runtime.consumer import Record
from services.runtime.errors import NeighbourUnavailableError, Position
from services.runtime.flood import FloodLimit
from services.runtime.producer import Outgoing
from services.runtime.readiness import Readiness
from services.runtime.serde import TopicSerde
from tests.fakes.schema_ids import FixedSchemaIds
from tests.fakes.stream import MemoryBroker, MemoryStream
from tests.fakes.stripe_webhooks import charge_webhook
from tests.unit.normalizer.tables import NORMALIZER

TOPIC = "webhooks.stripe.charge"
WRITER = TopicSerde(TOPIC, ChargeWebhook, FixedSchemaIds())
PIPELINE = Pipeline(TOPICS, FixedSchemaIds(), NORMALIZER)
BAD = b"bad"


def good(number: int) -> bytes:
    return WRITER.encode(charge_webhook(number=number))


def records(values: Sequence[bytes]) -> list[Record]:
    return [Record(Position(TOPIC, 0, offset), b"m1", value, {}) for offset, value in enumerate(values)]


class StoppingAtTheEnd(MemoryStream):
    """Says stop when all was read and delivered."""

    def __init__(self, values: Sequence[bytes], stopping: threading.Event, batch: int = 100) -> None:
        super().__init__(MemoryBroker(records(values), batch))
        self._stopping = stopping

    def read(self) -> list[Record]:
        read = super().read()
        if not read:
            self._stopping.set()
        return read


class Bench:
    """A loop over a stream in memory, with waiting made instant."""

    def __init__(self, values: Sequence[bytes], *, failures: int = 3, window: int = 10, batch: int = 100) -> None:
        self.stopping = InstantEvent()
        self.stream = StoppingAtTheEnd(values, self.stopping, batch)
        self.clock = FrozenClock(datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
        self.readiness = Readiness(self.clock)
        flood = FloodLimit(failures, window)
        self.loop = Loop("normalizer", flood, self.clock, self.readiness, self.stopping)

    def run(self) -> list[Outgoing]:
        self.loop.run(self.stream, PIPELINE)
        return self.stream.delivered


class InstantEvent(threading.Event):
    """An event whose waiting takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set()


def ids(delivered: Sequence[Outgoing]) -> list[str]:
    return [message.headers["tidegate-event-id"] for message in delivered]


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_every_record_is_delivered_once_and_in_order() -> None:
    delivered = Bench([good(number) for number in range(7)], batch=3).run()
    assert ids(delivered) == [f"stripe:evt_{number}" for number in range(7)]


def test_an_aborted_batch_is_read_and_delivered_again() -> None:
    bench = Bench([good(number) for number in range(5)], batch=2)
    bench.stream.abort_next(times=3)
    assert ids(bench.run()) == [f"stripe:evt_{number}" for number in range(5)]
    assert [wait for wait in bench.stopping.waits if wait] == [0.1, 0.2, 0.4]


def test_a_registry_that_is_away_lets_the_batch_wait() -> None:
    bench = Bench([good(1)])
    bench.stream.failures.append(NeighbourUnavailableError("schema registry", "away"))
    assert ids(bench.run()) == ["stripe:evt_1"]


def test_only_what_is_committed_is_counted() -> None:
    def state() -> tuple[float, float, float]:
        return (
            counted("tidegate_messages_total", stage="normalizer", topic=TOPIC, outcome="normalized"),
            counted("tidegate_messages_total", stage="normalizer", topic=TOPIC, outcome="dead"),
            counted("tidegate_dead_letters_total", stage="normalizer", rule_id="wire.unframed"),
        )

    before = state()
    bench = Bench([good(1), BAD, good(2)])
    bench.stream.abort_next(times=2)
    bench.run()
    assert [after - earlier for after, earlier in zip(state(), before, strict=True)] == [2, 1, 1]


def test_a_bad_message_does_not_stop_the_stream() -> None:
    delivered = Bench([good(1), BAD, good(2)]).run()
    assert ids(delivered) == ["stripe:evt_1", f"{TOPIC}:0:1", "stripe:evt_2"]


def test_what_the_producer_finds_too_large_is_put_aside_and_the_rest_goes_on() -> None:
    large = WRITER.encode(charge_webhook(number=2, metadata={"note": "x" * 2000}))
    bench = Bench([good(1), large, good(3), BAD])
    bench.stream.largest = 1000
    delivered = bench.run()
    assert ids(delivered) == ["stripe:evt_1", "stripe:evt_2", "stripe:evt_3", f"{TOPIC}:0:3"]
    assert [message.topic for message in delivered] == [
        TOPICS.normalized,
        TOPICS.failures,
        TOPICS.normalized,
        TOPICS.failures,
    ]


def test_what_is_put_aside_as_too_large_counts_as_failed() -> None:
    large = WRITER.encode(charge_webhook(metadata={"note": "x" * 2000}))
    bench = Bench([good(1), *[large] * 4])
    bench.stream.largest = 1000
    with pytest.raises(FloodStoppedError, match=r"event\.too_large"):
        bench.run()
    assert bench.stream.delivered == []


@pytest.mark.parametrize("value", [good(1), BAD])
def test_a_producer_that_takes_not_even_failures_is_a_lost_stream(value: bytes) -> None:
    bench = Bench([value])
    bench.stream.largest = 0
    with pytest.raises(StreamLostError, match=r"message\.max\.bytes"):
        bench.run()


def test_a_flood_is_stopped_before_the_batch_that_makes_it_one() -> None:
    bench = Bench([good(1), BAD, BAD, BAD, BAD, good(2)], batch=2)
    with pytest.raises(
        FloodStoppedError, match=r"more than 3 of the last 10 messages failed; rules broken: wire\.unframed"
    ):
        bench.run()
    assert ids(bench.stream.delivered) == ["stripe:evt_1", *(f"{TOPIC}:0:{offset}" for offset in (1, 2, 3))]
    assert bench.stream.held is not None
    assert "flood" in (bench.readiness.check() or "")
    assert "services.normalizer resume" in (bench.readiness.check() or "")


class UnholdableStream(StoppingAtTheEnd):
    def hold(self, reason: str) -> None:
        raise StreamLostError("the broker is away")


def test_a_flood_is_stopped_even_where_the_hold_cannot_be_stored() -> None:
    bench = Bench([])
    with pytest.raises(FloodStoppedError, match="a restart will read on"):
        bench.loop.run(UnholdableStream([BAD] * 4, bench.stopping), PIPELINE)


def test_aborted_batches_do_not_make_a_flood() -> None:
    bench = Bench([BAD, BAD, good(1)])
    bench.stream.abort_next(times=9)
    assert len(bench.run()) == 3


class TickingStream(StoppingAtTheEnd):
    """Moves the clock by a second at each read."""

    clock: FrozenClock

    def read(self) -> list[Record]:
        self.clock.advance(timedelta(seconds=1))
        return super().read()


def test_readiness_and_lag_are_looked_after_each_second() -> None:
    bench = Bench([])
    stream = TickingStream([good(1), good(2)], bench.stopping, batch=1)
    stream.clock = bench.clock
    stream.down = "Kafka does not answer"
    bench.loop.run(stream, PIPELINE)
    assert bench.readiness.check() == "Kafka does not answer"
    assert (
        REGISTRY.get_sample_value("tidegate_consumer_lag", {"group": "normalizer", "topic": "memory", "partition": "0"})
        == 0.0
    )


def test_a_loop_that_hangs_is_not_ready() -> None:
    bench = Bench([])
    bench.run()
    bench.readiness.missing = None
    assert bench.readiness.check() is None
    bench.clock.advance(timedelta(seconds=6))
    assert bench.readiness.check() == "no batch has ended for 6 seconds: does Kafka answer?"
    bench.readiness.beat()
    assert bench.readiness.check() is None


def test_unknown_codes_are_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    before = counted("tidegate_unknown_codes_total", stage="normalizer", table="decline_codes")
    value = WRITER.encode(charge_webhook("charge.failed", failure_code="brand_new"))
    bench = Bench([value, value])
    bench.run()
    assert counted("tidegate_unknown_codes_total", stage="normalizer", table="decline_codes") - before == 2
    assert bench.loop._reported_codes == {"brand_new"}


def test_a_code_that_does_not_look_like_one_is_logged_by_its_length_alone() -> None:
    codes = ["brand_new.2", "Card 4242 4242 4242 4242 declined", "x" * 65]
    values = [WRITER.encode(charge_webhook("charge.failed", failure_code=code)) for code in codes]
    with capture_logs() as logs:
        Bench(values).run()
    told = [line["code"] for line in logs if line["event"] == "message.unknown_code"]
    assert told == ["brand_new.2", "string(33)", "string(65)"]


def test_what_is_left_out_is_counted_as_drift_in_a_bounded_number_of_series() -> None:
    path = "data.object.payment_method_details.card.last4"
    labels = {"provider": "stripe", "kind": "broken_rule", "field_path": path}

    def seen(event_type: str, api_version: str) -> float:
        return counted("tidegate_contract_drift_total", event_type=event_type, api_version=api_version, **labels)

    before = seen("charge.succeeded", "(none)"), seen("(other)", "(other)")
    webhook = charge_webhook(payment_method_details={"card": {"last4": "123"}})
    values = [WRITER.encode(webhook)]
    for number in range(1000):
        webhook.event.api_version = f"version-{number}"
        values.append(WRITER.encode(webhook))
    delivered = Bench(values).run()
    assert {message.topic for message in delivered} == {TOPICS.normalized}
    after = seen("charge.succeeded", "(none)"), seen("(other)", "(other)")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]
    assert seen("charge.succeeded", "version-998") == 1
