"""Publishes to Kafka and answers only when the broker has: idempotent, acks=all, futures resolved in batches."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from services.runtime.errors import NeighbourUnavailableError

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish."""

    topic: str
    key: bytes
    value: bytes
    headers: Mapping[str, str]


class Publisher(Protocol):
    """Publishes messages. A caller must not assume anything is stored before `publish` returns."""

    async def publish(self, message: Outgoing) -> None:
        """Return once the broker has the message for good; NeighbourUnavailableError when it does not answer."""
        ...


class AcknowledgedProducer:
    """A Publisher over librdkafka.

    librdkafka calls back on the thread that polls; outcomes are gathered there and handed to the event loop in one
    wake-up per poll, since a wake-up per message would cost more than the message.
    """

    def __init__(self, config: Mapping[str, Any], *, delivery_timeout_ms: int, max_message_bytes: int) -> None:
        self._fatal: str | None = None
        self._producer = Producer(
            {
                **config,
                "error_cb": self._note_error,
                "logger": logging.getLogger("librdkafka"),
                "enable.idempotence": True,
                "acks": "all",
                "delivery.timeout.ms": delivery_timeout_ms,
                "message.max.bytes": max_message_bytes,
                "linger.ms": 1,
                "compression.type": "lz4",
            }
        )
        self._loop = asyncio.get_running_loop()
        self._outcomes: deque[tuple[asyncio.Future[None], KafkaError | None]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-producer", daemon=True)
        self._thread.start()

    async def publish(self, message: Outgoing) -> None:
        """Return once every in-sync replica has the message."""
        done: asyncio.Future[None] = self._loop.create_future()

        def delivered(error: KafkaError | None, _: Message) -> None:
            self._outcomes.append((done, error))

        try:
            self._producer.produce(
                message.topic,
                key=message.key,
                value=message.value,
                headers=list(message.headers.items()),
                on_delivery=delivered,
            )
        except BufferError as error:
            raise NeighbourUnavailableError("Kafka", "the producer's queue is full") from error
        except KafkaException as error:
            raise NeighbourUnavailableError("Kafka", str(error.args[0].name())) from error
        await done

    async def close(self, timeout_seconds: float) -> int:
        """Wait for what is in flight; return how many messages have no outcome after the timeout."""
        left = await asyncio.to_thread(self._producer.flush, timeout_seconds)
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)
        self._resolve()
        return int(left)

    def reachable(self, timeout_seconds: float) -> bool:
        """Whether the broker answers; blocks up to the timeout."""
        try:
            self._producer.list_topics(timeout=timeout_seconds)
        except KafkaException:
            return False
        return True

    def missing_topics(self, topics: Iterable[str], timeout_seconds: float) -> list[str]:
        """Which of the topics the broker does not have; blocks up to the timeout.

        NeighbourUnavailableError when the broker does not answer.
        """
        try:
            existing = self._producer.list_topics(timeout=timeout_seconds).topics
        except KafkaException as error:
            raise NeighbourUnavailableError("Kafka", error.args[0].name()) from error
        return sorted(set(topics) - existing.keys())

    @property
    def fatal(self) -> str | None:
        """The error after which this producer can publish nothing more and another must take its place; else None."""
        return self._fatal

    def _note_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = str(error.name())

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_SECONDS)
            if self._outcomes:
                self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        while self._outcomes:
            done, error = self._outcomes.popleft()
            if done.done():  # the waiter is gone
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(NeighbourUnavailableError("Kafka", error.name()))
