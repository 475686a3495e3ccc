"""A broker in memory: keeps what is published, can be away, slow, or broken for good."""

import asyncio
from collections.abc import Iterable

from services.runtime.errors import NeighbourUnavailableError
from services.runtime.producer import Outgoing


class InMemoryBroker:
    """A Publisher, and what the gateway asks of a broker besides."""

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self.topics = set(topics)
        self.published: list[Outgoing] = []
        # Says no to everything while set.
        self.is_down = False
        self.fatal: str | None = None
        self.closed = False
        self._acknowledging = asyncio.Event()
        self._acknowledging.set()
        self._waiting = 0

    def hold(self) -> None:
        """Acknowledge nothing from now on, until `release`."""
        self._acknowledging.clear()

    def release(self) -> None:
        """Acknowledge what was held and what follows."""
        self._acknowledging.set()

    @property
    def waiting(self) -> int:
        """Messages that wait for their acknowledgement."""
        return self._waiting

    async def publish(self, message: Outgoing) -> None:
        """Keep a message, when it is released."""
        self._waiting += 1
        try:
            await self._acknowledging.wait()
        finally:
            self._waiting -= 1
        if self.closed:
            raise NeighbourUnavailableError("Kafka", "closed")
        self._refuse_if_unavailable(message.topic)
        self.published.append(message)

    def missing_topics(self, topics: Iterable[str], timeout_seconds: float) -> list[str]:
        """Which topics it was not made with."""
        if self.is_down:
            raise NeighbourUnavailableError("Kafka", "_TRANSPORT")
        return sorted(set(topics) - self.topics)

    async def close(self, timeout_seconds: float) -> int:
        """How many messages wait; nothing is acknowledged by waiting for it, and those fail."""
        self.closed = True
        self.release()
        return self._waiting

    def _refuse_if_unavailable(self, topic: str) -> None:
        if self.is_down:
            raise NeighbourUnavailableError("Kafka", "_MSG_TIMED_OUT")
        if self.fatal is not None:
            raise NeighbourUnavailableError("Kafka", "_FATAL")
        if topic not in self.topics:
            raise NeighbourUnavailableError("Kafka", "_UNKNOWN_TOPIC")
