"""The gateway comes up without its neighbours, says what it misses, and recovers by itself."""

import asyncio
from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from services.gateway.adapters.kafka import KafkaInbox
from services.gateway.handler import TOPICS, Publish, handle
from services.runtime.clock import FrozenClock
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.producer import AcknowledgedProducer, Outgoing
from tests.fakes.publisher import InMemoryBroker
from tests.fakes.publisher_suite import PublisherSuite, ReadAll
from tests.fakes.schema_ids import FixedSchemaIds
from tests.unit.gateway.events import ENDPOINT, NOW, arrival, event

HEADERS: Mapping[str, str] = {}


class LateRegistry(FixedSchemaIds):
    """A registry that fails for as long as it is told to."""

    def __init__(self, failure: Exception) -> None:
        self.failure: Exception | None = failure

    def latest(self, subject: str) -> int:
        """Fail, or answer."""
        if self.failure is not None:
            raise self.failure
        return super().latest(subject)


@pytest.fixture
def decided() -> Publish:
    result = handle(arrival(event()), ENDPOINT)
    assert isinstance(result, Publish)
    return result


@pytest.fixture
def broker() -> InMemoryBroker:
    return InMemoryBroker(TOPICS)


def inbox_over(broker: InMemoryBroker, ids: FixedSchemaIds | None = None) -> KafkaInbox:
    return KafkaInbox(lambda: broker, ids or FixedSchemaIds(), TOPICS, FrozenClock(NOW))


def missing(inbox: KafkaInbox) -> str:
    return inbox.unready or ""


async def test_it_is_not_ready_before_it_has_looked(broker: InMemoryBroker, decided: Publish) -> None:
    inbox = inbox_over(broker)
    assert missing(inbox)
    with pytest.raises(NeighbourUnavailableError):
        await inbox.store(decided, HEADERS)
    assert broker.published == []


async def test_a_stored_webhook_is_on_its_topic_under_its_key(broker: InMemoryBroker, decided: Publish) -> None:
    inbox = inbox_over(broker)
    await inbox.check()
    await inbox.store(decided, {"tidegate-receipt-id": "r"})
    assert inbox.unready is None
    assert [(m.topic, m.key, m.headers) for m in broker.published] == [
        ("webhooks.stripe.charge", b"shop", {"tidegate-receipt-id": "r"})
    ]


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (DeployStepMissingError("run `make register`"), "make register"),
        (NeighbourUnavailableError("schema registry", "refused"), "schema registry is unavailable"),
        (RuntimeError("surprise"), "RuntimeError"),
    ],
)
async def test_missing_schemas_are_told_and_asked_for_until_they_are_there(
    broker: InMemoryBroker, decided: Publish, failure: Exception, told: str
) -> None:
    registry = LateRegistry(failure)
    inbox = inbox_over(broker, registry)
    await inbox.check()
    assert told in missing(inbox)
    registry.failure = None
    await inbox.check()
    await inbox.store(decided, HEADERS)


async def test_once_the_schemas_are_known_the_registry_may_go_away(broker: InMemoryBroker, decided: Publish) -> None:
    registry = LateRegistry(RuntimeError())
    registry.failure = None
    inbox = inbox_over(broker, registry)
    await inbox.check()
    registry.failure = NeighbourUnavailableError("schema registry", "gone")
    await inbox.check()
    await inbox.store(decided, HEADERS)


async def test_a_broker_that_goes_away_and_comes_back_is_noticed_and_told_once(broker: InMemoryBroker) -> None:
    inbox = inbox_over(broker)
    await inbox.check()
    with capture_logs() as logs:
        broker.is_down = True
        await inbox.check()
        await inbox.check()
        assert missing(inbox) == "Kafka is unavailable: _TRANSPORT"
        broker.is_down = False
        await inbox.check()
    assert missing(inbox) == ""
    assert [line["event"] for line in logs] == ["probe.failed", "probe.recovered"]


async def test_missing_topics_are_named(decided: Publish) -> None:
    inbox = inbox_over(InMemoryBroker(set(TOPICS) - {"webhooks.dlq"}))
    await inbox.check()
    assert "webhooks.dlq" in missing(inbox)


async def test_topics_that_take_no_message_as_large_as_a_webhooks_are_told_before_the_first_and_asked_of_until_they_do(
    broker: InMemoryBroker,
) -> None:
    """Such a message would be answered 503 for as long as its provider sends it, and then be lost."""
    told: list[Exception] = [
        DeployStepMissingError("raise max.message.bytes"),
        NeighbourUnavailableError("Kafka", "_X"),
    ]
    asked = 0

    def check_limits() -> None:
        nonlocal asked
        asked += 1
        if told:
            raise told.pop(0)

    inbox = KafkaInbox(lambda: broker, FixedSchemaIds(), TOPICS, FrozenClock(NOW), check_limits=check_limits)
    await inbox.check()
    assert missing(inbox) == "raise max.message.bytes"
    for _ in range(3):
        await inbox.check()
    assert (inbox.unready, asked) == (None, 3)


async def test_an_acknowledgement_during_a_failing_check_says_more_than_the_check(decided: Publish) -> None:
    broker = SlowToAnswer(TOPICS)
    clock = FrozenClock(NOW)
    inbox = KafkaInbox(lambda: broker, FixedSchemaIds(), TOPICS, clock)
    await inbox.check()
    broker.fails_checks = True
    checking = asyncio.create_task(inbox.check())
    await asyncio.sleep(0)
    await inbox.store(decided, HEADERS)
    await checking
    assert inbox.unready is None


class SlowToAnswer(InMemoryBroker):
    """Acknowledges messages but fails its checks, as a broker under load does."""

    fails_checks = False

    def missing_topics(self, topics: object, timeout_seconds: float) -> list[str]:
        """Fail when told to."""
        if self.fails_checks:
            raise NeighbourUnavailableError("Kafka", "_TIMED_OUT")
        return []


async def test_a_producer_that_is_broken_for_good_is_replaced(decided: Publish) -> None:
    brokers = [InMemoryBroker(TOPICS), InMemoryBroker(TOPICS)]
    left = iter(brokers)
    inbox = KafkaInbox(lambda: next(left), FixedSchemaIds(), TOPICS, FrozenClock(NOW))
    await inbox.check()
    brokers[0].fatal = "_FATAL"
    with pytest.raises(NeighbourUnavailableError):
        await inbox.store(decided, HEADERS)
    await inbox.check()
    await inbox.store(decided, HEADERS)
    assert brokers[0].closed
    assert len(brokers[1].published) == 1


async def test_whoever_waits_for_a_producer_that_is_replaced_is_told(decided: Publish) -> None:
    """On a real librdkafka that has no broker: what is in flight there would never be answered."""
    made: list[AcknowledgedProducer] = []

    def connect() -> AcknowledgedProducer:
        made.append(AcknowledgedProducer({}, delivery_timeout_ms=60_000, max_message_bytes=1_000_000))
        return made[-1]

    inbox = KafkaInbox(connect, FixedSchemaIds(), TOPICS, FrozenClock(NOW))
    waiting = [asyncio.create_task(made[0].publish(Outgoing("t", b"k", b"v", {}))) for _ in range(3)]
    await asyncio.sleep(0)
    made[0]._fatal = "_FATAL"  # as librdkafka's error callback sets it
    await inbox.check()
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [type(outcome) for outcome in outcomes] == [NeighbourUnavailableError] * 3
    assert await inbox.close(0) == 0


class TestPublisherInMemory(PublisherSuite):
    """The broker in memory does what a broker does."""

    @pytest.fixture
    def topic(self) -> str:
        return "topic"

    @pytest.fixture
    def publisher(self, topic: str) -> InMemoryBroker:
        return InMemoryBroker([topic])

    @pytest.fixture
    def read_all(self, publisher: InMemoryBroker) -> ReadAll:
        def read() -> list[Outgoing]:
            return list(publisher.published)

        return read
