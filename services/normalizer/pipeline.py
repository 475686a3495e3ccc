"""From records to what is published for them: unframe, normalise, frame, with the headers carried along."""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.trace import Tracer
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_UNKNOWN, UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from services.normalizer.handler import Normalizer, defect, too_large, unreadable
from services.normalizer.sources import LARGEST_MESSAGE_BYTES, Topics
from services.runtime.consumer import Record
from services.runtime.errors import InvalidMessageError, Position
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.producer import Outgoing
from services.runtime.serde import SchemaIds, TopicSerde
from services.runtime.telemetry import incoming_trace, logger, outgoing_trace

_log = logger(__name__)
# What a message takes along of its original's headers: what joins the hops, and nothing that may be a fault itself. Who
# sends a webhook has a say in the trace's headers, and older messages on the topics may hold them at any length.
_FOLLOWING_HEADERS = (RECEIPT_ID, EVENT_ID, "traceparent", "tracestate")
_LONGEST_HEADER = 512
# A key and the headers above come to less than 16 KiB, so that the size of most messages need not be worked out.
_SURELY_FITTING_BYTES = LARGEST_MESSAGE_BYTES - 16_384


class Result(NamedTuple):
    """What became of one record. Holds no event: a batch of them would cost more to keep than to make."""

    # The topic it was read from.
    topic: str
    outgoing: Outgoing
    # Where it could not become an event.
    failure: ValidationFailure | None = None
    # The failure's code, where no table knows it; empty where the provider gave none.
    unknown_code: str | None = None
    # Where a detail was left out.
    left_out: "LeftOut | None" = None


class LeftOut(NamedTuple):
    """Details that an event goes without, since they break their rule: where they stand in which bodies."""

    provider: str
    # In the provider's words.
    event_type: str
    api_version: str
    paths: tuple[str, ...]


class Pipeline:
    """Turns batches into results. Raises NeighbourUnavailableError when a schema id is new and the registry is away."""

    def __init__(self, topics: Topics, ids: SchemaIds, normalizer: Normalizer, spans: Tracer | None = None) -> None:
        """Without `spans` none is made, and the trace context is sent on as it came."""
        self._readers: Mapping[str, TopicSerde[Any]] = {
            topic: TopicSerde(topic, message_type, ids) for topic, message_type in topics.inputs.items()
        }
        self._events = TopicSerde(topics.normalized, UnifiedPaymentEvent, ids)
        self._failures = TopicSerde(topics.failures, ValidationFailure, ids)
        self._normalizer = normalizer
        self._spans = spans

    def process(self, records: Iterable[Record], now: Timestamp) -> Sequence[Result]:
        """A result for each record, in order."""
        if self._spans is None:
            return [self._handle(record, now) for record in records]
        return [self._handle_in_trace(self._spans, record, now) for record in records]

    def put_aside(self, record: Record, result: Result, now: Timestamp) -> Result:
        """The failure in place of an event that the producer found too large."""
        webhook = self._readers[record.position.topic].unframe(record.value, record.position)
        broken = too_large(_size(result.outgoing))
        return self._failed(record, self._normalizer.reject(webhook, broken, record.position, now))

    def _handle_in_trace(self, spans: Tracer, record: Record, now: Timestamp) -> Result:
        with incoming_trace(record.headers), spans.start_as_current_span("normalize"):
            return self._handle(replace(record, headers={**record.headers, **outgoing_trace()}), now)

    def _handle(self, record: Record, now: Timestamp) -> Result:
        position = record.position
        try:
            webhook = self._readers[position.topic].unframe(record.value, position)
        except InvalidMessageError as poison:
            return self._failed(record, unreadable(poison, now))
        try:
            paths: list[str] = []
            outcome = self._normalizer.normalize(webhook, position, now, paths)
        except Exception as error:  # noqa: BLE001 - a defect of a mapping must not stop the stream
            _log_defect(error, position)
            outcome = self._normalizer.reject(webhook, defect(error), position, now)
        if isinstance(outcome, ValidationFailure):
            return self._failed(record, outcome)
        value = self._events.frame(outcome)  # normalize has checked it
        headers = {**_following(record.headers), EVENT_ID: outcome.event_id, RECEIPT_ID: outcome.receipt_id}
        outgoing = Outgoing(self._events.topic, outcome.merchant_id.encode(), value, headers)
        if len(value) > _SURELY_FITTING_BYTES and (size := _size(outgoing)) > LARGEST_MESSAGE_BYTES:
            return self._failed(record, self._normalizer.reject(webhook, too_large(size), position, now))
        is_unknown = outcome.decline_class == DECLINE_CLASS_UNKNOWN
        unknown_code = outcome.failure_code if is_unknown else None
        provider = outcome.event_id.partition(":")[0]
        left_out = LeftOut(provider, webhook.type, webhook.event.api_version, tuple(paths)) if paths else None
        return Result(position.topic, outgoing, unknown_code=unknown_code, left_out=left_out)

    def _failed(self, record: Record, failure: ValidationFailure) -> Result:
        value = self._failures.encode(failure)
        headers = {**_following(record.headers), EVENT_ID: failure.event_id}
        outgoing = Outgoing(self._failures.topic, failure.event_id.encode(), value, headers)
        return Result(record.position.topic, outgoing, failure=failure)


def _following(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name in _FOLLOWING_HEADERS
        if (value := headers.get(name)) is not None and len(value) <= _LONGEST_HEADER
    }


def _size(message: Outgoing) -> int:
    """Bytes of the message's parts, without what frames them."""
    headers = sum(len(name) + len(value.encode()) for name, value in message.headers.items())
    return len(message.key) + len(message.value) + headers


def _log_defect(error: Exception, position: Position) -> None:
    """Where the mapping failed; not the error's text, which may hold a value of the body."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _log.error(
        "message.defect",
        error=type(error).__name__,
        place=f"{place.filename}:{place.lineno}",
        topic=position.topic,
        partition=position.partition,
        offset=position.offset,
    )
