"""From records to what is published for them: unframe, normalise, frame, with the headers carried along."""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from services.normalizer.handler import LARGEST_EVENT_BYTES, Normalizer, Outcome, defect, too_large, unreadable
from services.normalizer.sources import Topics
from services.runtime.consumer import Record
from services.runtime.errors import InvalidMessageError
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.producer import Outgoing
from services.runtime.serde import SchemaIds, TopicSerde
from services.runtime.telemetry import incoming_trace, logger, outgoing_trace, tracer

_log = logger(__name__)
_tracer = tracer(__name__)
# What a failure takes along of its original's headers: enough to find it, and nothing that may be the fault itself.
_FOLLOWING_HEADERS = (RECEIPT_ID, EVENT_ID, "traceparent", "tracestate")


@dataclass(frozen=True, slots=True)
class Result:
    """One record, what became of it, and the message that says so."""

    record: Record
    outcome: Outcome
    outgoing: Outgoing

    @property
    def failure(self) -> ValidationFailure | None:
        """The outcome, where it is a failure."""
        return self.outcome if isinstance(self.outcome, ValidationFailure) else None


class Pipeline:
    """Turns batches into results. Raises NeighbourUnavailableError when a schema id is new and the registry is away."""

    def __init__(self, topics: Topics, ids: SchemaIds, normalizer: Normalizer, *, traced: bool) -> None:
        self._readers: Mapping[str, TopicSerde[Any]] = {
            topic: TopicSerde(topic, message_type, ids) for topic, message_type in topics.inputs.items()
        }
        self._events = TopicSerde(topics.normalized, UnifiedPaymentEvent, ids)
        self._failures = TopicSerde(topics.failures, ValidationFailure, ids)
        self._normalizer = normalizer
        self._traced = traced

    def process(self, records: Iterable[Record], now: Timestamp) -> Sequence[Result]:
        """A result for each record, in order."""
        return [self._process(record, now) for record in records]

    def _process(self, record: Record, now: Timestamp) -> Result:
        if not self._traced:
            return self._normalize(record, now, record.headers)
        with incoming_trace(record.headers), _tracer.start_as_current_span("normalize"):
            return self._normalize(record, now, {**record.headers, **outgoing_trace()})

    def _normalize(self, record: Record, now: Timestamp, headers: Mapping[str, str]) -> Result:
        try:
            webhook = self._readers[record.position.topic].unframe(record.value, record.position)
        except InvalidMessageError as poison:
            return self._failed(record, unreadable(poison, now), headers)
        try:
            outcome = self._normalizer.normalize(webhook, record.position, now)
        except Exception as error:  # noqa: BLE001 - a defect of a mapping must not stop the stream
            _log_defect(error, record)
            outcome = self._normalizer.reject(webhook, defect(error), record.position, now)
        if isinstance(outcome, ValidationFailure):
            return self._failed(record, outcome, headers)
        return self._normalized(record, webhook, outcome, now, headers)

    def _normalized(
        self, record: Record, webhook: Message, event: UnifiedPaymentEvent, now: Timestamp, headers: Mapping[str, str]
    ) -> Result:
        value = self._events.frame(event)  # normalize has checked it
        size = len(value) + sum(len(name) + len(text) for name, text in headers.items())
        if size > LARGEST_EVENT_BYTES:
            return self._failed(
                record, self._normalizer.reject(webhook, too_large(size), record.position, now), headers
            )
        headers = {**headers, EVENT_ID: event.event_id, RECEIPT_ID: event.receipt_id}
        return Result(record, event, Outgoing(self._events.topic, event.merchant_id.encode(), value, headers))

    def _failed(self, record: Record, failure: ValidationFailure, headers: Mapping[str, str]) -> Result:
        following = {name: headers[name] for name in _FOLLOWING_HEADERS if name in headers}
        following[EVENT_ID] = failure.event_id
        value = self._failures.encode(failure)
        return Result(record, failure, Outgoing(self._failures.topic, failure.event_id.encode(), value, following))


def _log_defect(error: Exception, record: Record) -> None:
    """Where the mapping failed; not the error's text, which may hold a value of the body."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _log.error(
        "message.defect",
        error=type(error).__name__,
        place=f"{place.filename}:{place.lineno}",
        topic=record.position.topic,
        partition=record.position.partition,
        offset=record.position.offset,
    )
