"""The stream over Kafka keeps a Stream's promises, also against processes that are taken for dead."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook

from services.normalizer.adapters.holds import GroupOffsets
from services.normalizer.adapters.kafka import BatchBounds, KafkaStream
from services.normalizer.adapters.transactions import TransactionalProducer
from services.normalizer.ports import BatchAbortedError, StreamLostError
from services.normalizer.sources import MAX_MESSAGE_BYTES, Topics
from services.runtime.producer import Outgoing
from tests.engines import Engines
from tests.fakes.stream_suite import StreamSuite, read_until

_SESSION_SECONDS = 6.0


class KafkaPlace:
    """A topic with five records, an empty one for the output, and streams between them."""

    def __init__(self, engines: Engines, source: str, topic: str) -> None:
        self.topic = topic
        self._bootstrap = {"bootstrap.servers": engines.kafka_bootstrap_servers}
        self._topics = Topics({source: ChargeWebhook}, normalized=topic, failures=topic, group=f"group.{topic}")
        self._streams: list[KafkaStream] = []
        producer = Producer({**self._bootstrap, "enable.idempotence": True})
        for number in range(5):
            producer.produce(source, value=b"%d" % number)
        assert producer.flush(30) == 0

    def connect(self) -> KafkaStream:
        return self.connect_as(f"{self.topic}.{len(self._streams)}")

    def connect_as(self, transactional_id: str) -> KafkaStream:
        producer = TransactionalProducer(
            self._bootstrap,
            transactional_id=transactional_id,
            timeout_ms=15_000,
            max_message_bytes=MAX_MESSAGE_BYTES,
            stopping=threading.Event(),
        )
        producer.start()
        config = {
            **self._bootstrap,
            "session.timeout.ms": int(_SESSION_SECONDS * 1000),
            "max.poll.interval.ms": int(_SESSION_SECONDS * 1000),
        }
        stream = KafkaStream(config, self._topics, producer, BatchBounds(2, 0.02))
        self._streams.append(stream)
        return stream

    def visible(self) -> Sequence[bytes]:
        reader = Consumer({**self._bootstrap, "group.id": "unused", "isolation.level": "read_committed"})
        reader.assign([TopicPartition(self.topic, 0, 0)])
        values = [message.value() or b"" for message in reader.consume(100, 1.0)]
        reader.close()
        return values

    def lift(self) -> None:
        offsets = GroupOffsets(self._bootstrap, self._topics)
        assert offsets.holds() == offsets.lift() != []
        assert offsets.holds() == []
        offsets.close()

    def close(self) -> None:
        for stream in self._streams:
            stream.close()


@pytest.fixture
def place(engines: Engines, make_topic: Callable[..., str]) -> Iterator[KafkaPlace]:
    made = KafkaPlace(engines, make_topic("source"), make_topic("out"))
    yield made
    made.close()


class TestKafkaStream(StreamSuite):
    @pytest.fixture
    def place(self, engines: Engines, make_topic: Callable[..., str]) -> Iterator[KafkaPlace]:
        made = KafkaPlace(engines, make_topic("source"), make_topic("out"))
        yield made
        made.close()


def test_a_process_that_the_group_has_put_out_cannot_deliver_what_another_took_over(place: KafkaPlace) -> None:
    """The zombie's batch is in hand, its partition is another's: committing it would make each record count twice."""
    zombie = place.connect()
    batch = read_until(zombie, 2)
    time.sleep(1.5 * _SESSION_SECONDS)
    heir = place.connect()
    assert read_until(heir, 2) == batch
    heir.deliver([Outgoing(place.topic, b"k", b"of the heir", {})])
    with pytest.raises(BatchAbortedError, match="no member"):
        zombie.deliver([Outgoing(place.topic, b"k", b"of the zombie", {})])
    assert place.visible() == [b"of the heir"]


def test_a_batch_whose_group_has_moved_on_is_aborted_by_the_broker(place: KafkaPlace) -> None:
    """The same with a proof of membership that the zombie got while it was still a member."""
    zombie = place.connect()
    batch = read_until(zombie, 2)
    proof = zombie._membership()
    time.sleep(1.5 * _SESSION_SECONDS)
    heir = place.connect()
    assert read_until(heir, 2) == batch
    heir.deliver([Outgoing(place.topic, b"k", b"of the heir", {})])
    zombie._membership = lambda: proof  # type: ignore[method-assign]
    with pytest.raises(BatchAbortedError):
        zombie.deliver([Outgoing(place.topic, b"k", b"of the zombie", {})])
    assert place.visible() == [b"of the heir"]


def test_a_process_whose_name_another_bears_is_lost(place: KafkaPlace) -> None:
    first = place.connect_as("twin")
    read_until(first, 2)
    place.connect_as("twin")
    with pytest.raises(StreamLostError, match="TIDEGATE_INSTANCE"):
        first.deliver([Outgoing(place.topic, b"k", b"out", {})])
    assert place.visible() == []


def test_what_a_killed_process_left_open_is_aborted_when_its_name_comes_back(place: KafkaPlace) -> None:
    """Readers of committed messages would wait for the open transaction until its timeout else."""
    killed = place.connect_as("same")
    killed._producer._producer.begin_transaction()
    assert killed._producer._is_taken(Outgoing(place.topic, b"k", b"never committed", {}))
    killed._producer._producer.flush(10)
    back = place.connect_as("same")
    started = time.monotonic()
    read_until(killed, 2)  # holds the only partition
    killed.close()
    read_until(back, 2)
    back.deliver([Outgoing(place.topic, b"k", b"committed", {})])
    assert place.visible() == [b"committed"]
    assert time.monotonic() - started < 10
