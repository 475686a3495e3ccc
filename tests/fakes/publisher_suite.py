"""What every Publisher does, the one in memory and the one on Kafka alike. Test modules subclass it with fixtures."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from services.gateway.adapters.kafka import Broker
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.producer import Outgoing

ReadAll = Callable[[], Sequence[Outgoing]]
ABSENT_TOPIC = "absent.topic"


class PublisherSuite:
    """Needs fixtures `publisher`, `topic` (one partition) and `read_all`: what the topic holds, in order."""

    async def test_what_is_published_is_stored_as_it_is(self, publisher: Broker, topic: str, read_all: ReadAll) -> None:
        message = Outgoing(topic, b"m1", bytes(range(256)), {"tidegate-receipt-id": "r1", "traceparent": "00-1-2-01"})
        await publisher.publish(message)
        assert list(read_all()) == [message]

    async def test_messages_of_one_key_keep_their_order(self, publisher: Broker, topic: str, read_all: ReadAll) -> None:
        messages = [Outgoing(topic, b"m1", b"%d" % number, {}) for number in range(200)]
        await asyncio.gather(*(publisher.publish(message) for message in messages))
        assert [stored.value for stored in read_all()] == [message.value for message in messages]

    async def test_a_topic_that_is_not_there_is_named(self, publisher: Broker, topic: str) -> None:
        assert await asyncio.to_thread(publisher.missing_topics, [topic, ABSENT_TOPIC], 5.0) == [ABSENT_TOPIC]

    async def test_publishing_to_a_topic_that_is_not_there_is_refused(self, publisher: Broker) -> None:
        with pytest.raises(NeighbourUnavailableError):
            await publisher.publish(Outgoing(ABSENT_TOPIC, b"k", b"v", {}))

    async def test_closing_with_nothing_in_flight_leaves_nothing_unsettled(self, publisher: Broker, topic: str) -> None:
        await publisher.publish(Outgoing(topic, b"k", b"v", {}))
        assert await publisher.close(5.0) == 0
