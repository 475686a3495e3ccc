"""Publishes to Kafka and answers only when the broker has: idempotent, acks=all, polled from the event loop."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from services.runtime.errors import NeighbourUnavailableError

_POLL_SECONDS = 0.001
# With nothing in flight there are only errors and log lines to fetch.
_IDLE_POLL_SECONDS = 1.0


class Outgoing(NamedTuple):
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
    """A Publisher over librdkafka. Must be made, used and closed on one event loop.

    librdkafka calls back where it is polled. A thread for that would hand the interpreter's lock and each outcome over
    to the loop, which costs more than the message; so the loop polls every millisecond while messages are in flight.
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
                # With 0, more than five requests to one partition are soon in flight, at which librdkafka spins until
                # one is answered: 14 us of CPU a message at 2 ms, 25 to 110 at 0 (16 messages of one key in flight).
                # Where keys are many, 5 ms make fewer requests: its thread takes 34 us a message, at 2 ms 41.
                "linger.ms": 5,
                "compression.type": "lz4",
            }
        )
        self._loop = asyncio.get_running_loop()
        # What waits for its outcome. Each future is in here until the broker's word or `close`, whichever is first.
        self._in_flight: set[asyncio.Future[None]] = set()
        self._is_closed = False
        self._drained: asyncio.Event | None = None
        self._timer = self._loop.call_later(_IDLE_POLL_SECONDS, self._poll)

    async def publish(self, message: Outgoing) -> None:
        """Return once every in-sync replica has the message."""
        if self._is_closed:
            raise NeighbourUnavailableError("Kafka", "the producer is closed")
        done: asyncio.Future[None] = self._loop.create_future()
        try:
            self._producer.produce(
                message.topic,
                key=message.key,
                value=message.value,
                headers=list(message.headers.items()),
                on_delivery=partial(self._delivered, done),
            )
        except BufferError as error:
            raise NeighbourUnavailableError("Kafka", "the producer's queue is full") from error
        except KafkaException as error:
            raise NeighbourUnavailableError("Kafka", str(error.args[0].name())) from error
        self._in_flight.add(done)
        if len(self._in_flight) == 1:
            self._timer.cancel()
            self._timer = self._loop.call_later(_POLL_SECONDS, self._poll)
        await done

    async def close(self, timeout_seconds: float) -> int:
        """Wait for what is in flight; return how many messages have no outcome after the timeout.

        Those fail with NeighbourUnavailableError: nobody asks for their outcome any more. The broker may have them.
        """
        if self._in_flight:
            self._drained = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), timeout_seconds)
        self._is_closed = True
        self._timer.cancel()
        abandoned, self._in_flight = self._in_flight, set()
        for done in abandoned:
            if not done.done():
                done.set_exception(NeighbourUnavailableError("Kafka", "the producer was closed before it answered"))
        return len(abandoned)

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
        try:
            self._producer.poll(0)
        finally:
            # Also after an error, which the loop logs: what else is in flight has no outcome yet.
            self._timer = self._loop.call_later(_POLL_SECONDS if self._in_flight else _IDLE_POLL_SECONDS, self._poll)

    def _delivered(self, done: asyncio.Future[None], error: KafkaError | None, _: Message) -> None:
        self._in_flight.discard(done)
        if self._drained is not None and not self._in_flight:
            self._drained.set()
        if done.done():  # the waiter is gone, or was told by `close`
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(NeighbourUnavailableError("Kafka", error.name()))
