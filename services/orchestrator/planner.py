"""Reads a record and says which workflow to start for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.handler import WorkflowStart, start_for_event, start_for_failure, start_for_poison
from services.runtime.clock import Clock
from services.runtime.consumer import Record
from services.runtime.errors import InvalidMessageError, Position
from services.runtime.telemetry import logger
from workflows.payment_event.attempts import lanes

log = logger(__name__)


class Decoder(Protocol):
    """Reads the values of one topic. A caller must not assume an answer without a call to the registry."""

    def decode(self, value: bytes | None, *, partition: int, offset: int) -> Message:
        """The checked message; InvalidMessageError, NeighbourUnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """A record's place with what to do about it."""

    position: Position
    start: WorkflowStart
    is_poison: bool = False
    # Events with a lane in common are decided one after another.
    lanes: frozenset[str] = frozenset()


class Planner:
    """Knows the topics. May block, where a schema id is met for the first time."""

    def __init__(self, decoders: Mapping[str, Decoder], clock: Clock) -> None:
        self._decoders = decoders
        self._clock = clock

    def plan(self, record: Record) -> Planned:
        """The workflow to start; NeighbourUnavailableError when the registry must be asked and does not answer."""
        position = record.position
        decoder = self._decoders[position.topic]
        try:
            message: Any = decoder.decode(record.value, partition=position.partition, offset=position.offset)
        except InvalidMessageError as error:
            log.error("message.poison", reason=str(error))  # noqa: TRY400 - poison is no fault of ours to trace
            return Planned(position, start_for_poison(error, self._clock.now(), record.headers), is_poison=True)
        if isinstance(message, UnifiedPaymentEvent):
            return Planned(position, start_for_event(message, position, record.headers), lanes=lanes(message))
        return Planned(position, start_for_failure(message, record.headers))
