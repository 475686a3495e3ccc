"""One librdkafka producer's transactions: each call retried while that helps, then answered as one of two errors."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from services.normalizer.ports import BatchAbortedError, MessagesTooLargeError, StreamLostError
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.producer import Outgoing

_CALL_SECONDS = 10.0
_GRACE_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_QUEUE_PAUSE_SECONDS = 0.1

_FENCED_HINT = (
    " (the broker has ended a transaction that took longer than TIDEGATE_NORMALIZER_TRANSACTION_TIMEOUT_MS, or "
    "TIDEGATE_INSTANCE is the name of two processes)"
)

T = TypeVar("T")


class TransactionalProducer:
    """Publishes batches in transactions. Not thread safe; `stopping` ends the waiting for a broker that is away."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        transactional_id: str,
        timeout_ms: int,
        max_message_bytes: int,
        stopping: threading.Event,
    ) -> None:
        self._id = transactional_id
        self._stopping = stopping
        self._producer = Producer(
            {
                **config,
                "transactional.id": transactional_id,
                # After a crash, readers of committed messages wait this long for what was open.
                "transaction.timeout.ms": timeout_ms,
                "compression.type": "lz4",
                "reconnect.backoff.max.ms": 2000,
                "message.max.bytes": max_message_bytes,
            }
        )

    def start(self) -> None:
        """Fence what bore the same id, and abort what it left open. Raises NeighbourUnavailableError."""
        try:
            self._producer.init_transactions(_CALL_SECONDS)
        except KafkaException as error:
            raise NeighbourUnavailableError("Kafka", f"no transactions: {error.args[0].name()}") from error

    def publish(self, outgoing: Sequence[Outgoing], offsets: Sequence[TopicPartition], group_metadata: object) -> None:
        """Publish and commit offsets in one transaction.

        Raises MessagesTooLargeError and BatchAbortedError when the transaction was aborted, and StreamLostError when
        this producer is at its end.
        """
        try:
            self._call(self._producer.begin_transaction)
            if too_large := [number for number, message in enumerate(outgoing) if not self._is_taken(message)]:
                self._abort()
                raise MessagesTooLargeError(too_large)
            self._call(lambda: self._send_offsets(list(offsets), group_metadata))
            self._call(lambda: self._producer.commit_transaction(_CALL_SECONDS))
        except _AbortRequired as required:
            self._abort()
            raise BatchAbortedError(str(required)) from required

    def _send_offsets(self, offsets: list[TopicPartition], group_metadata: object) -> None:
        """Send offsets, and give the producer up when librdkafka does not come back.

        It ignores its own timeout here: when the broker dies in this call it waits for ever, even once the broker is
        back (librdkafka issues 5456 and 5511; seen with 2.14 after every kill of a single broker). The abandoned thread
        keeps the producer alive, since destroying it would wait as well. Its transaction never commits: the next
        producer of the same transactional id fences it, else the broker's transaction timeout ends it.
        """

        def send() -> None:
            self._producer.send_offsets_to_transaction(offsets, group_metadata, _CALL_SECONDS)

        try:
            bounded(send, _CALL_SECONDS + _GRACE_SECONDS)
        except TimeoutError as error:
            raise StreamLostError(f"the producer {self._id} is lost: librdkafka hangs sending offsets") from error

    def _is_taken(self, message: Outgoing) -> bool:
        """Produce a message; False for one that the producer never takes, whose size says nothing about the others."""
        try:
            self._produce(message)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                return False
            raise self._judge(error) from error
        return True

    def _produce(self, message: Outgoing) -> None:
        while True:
            try:
                self._producer.produce(
                    message.topic, key=message.key, value=message.value, headers=list(message.headers.items())
                )
            except BufferError:  # librdkafka's queue is full: let it send
                self._producer.poll(_QUEUE_PAUSE_SECONDS)
            else:
                return

    def _abort(self) -> None:
        try:
            self._call(lambda: self._producer.abort_transaction(_CALL_SECONDS))
        except _AbortRequired as error:
            raise StreamLostError(f"the transaction could not be aborted: {error}") from error

    def _call(self, operation: Callable[[], T]) -> T:
        """Do it again for as long as that can help: a commit whose answer is lost must be asked for, not given up."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return operation()
            except KafkaException as error:
                if not _can_be_retried(error) or self._stopping.wait(pause):
                    raise self._judge(error) from error
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _judge(self, error: KafkaException) -> Exception:
        reason = error.args[0]
        if reason.txn_requires_abort() and not reason.fatal():
            return _AbortRequired(reason.name())
        hint = _FENCED_HINT if "FENCED" in reason.name() else ""
        return StreamLostError(f"the producer {self._id} is lost: {reason.name()}{hint}")


def bounded(operation: Callable[[], None], seconds: float) -> None:
    """Do it on a thread of its own, and raise TimeoutError when it takes longer; then the thread is left behind."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            operation()
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            raised.append(error)

    thread = threading.Thread(target=run, name="bounded-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]


class _AbortRequired(Exception):  # noqa: N818 - a demand, not an error
    """The transaction can only be aborted."""


def _can_be_retried(error: KafkaException) -> bool:
    reason = error.args[0]
    return bool(reason.retriable()) and not reason.fatal() and not reason.txn_requires_abort()
