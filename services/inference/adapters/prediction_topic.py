"""Writes the prediction log to its Kafka topic; comes up without Kafka, and goes on by itself when it is back."""

import asyncio
from collections.abc import Sequence
from typing import Final

from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged

from services.runtime.clock import Clock
from services.runtime.errors import ContractViolationError, DeployStepMissingError, NeighbourUnavailableError
from services.runtime.producer import AcknowledgedProducer, Outgoing
from services.runtime.registry import RegistrySchemaIds
from services.runtime.serde import TopicSerde
from services.runtime.settings import KafkaSettings, RegistrySettings

TOPIC: Final = "inference.predictions"
MAX_MESSAGE_BYTES: Final = 1_048_576

_DELIVERY_TIMEOUT_MS: Final = 10_000
_SCHEMA_AGAIN_SECONDS: Final = 5.0


class PredictionTopic:
    """A Sink over one producer. Must be made, used and closed on one event loop."""

    def __init__(self, kafka: KafkaSettings, registry: RegistrySettings, clock: Clock) -> None:
        self._registry = registry
        self._kafka = kafka
        self._clock = clock
        self._producer = self._connected()
        self._serde: TopicSerde[PredictionLogged] | None = None
        self._schema_at = float("-inf")

    async def write(self, messages: Sequence[PredictionLogged]) -> int:
        """Publish them at the same time; return how many the broker has."""
        serde = await self._known_serde()
        if serde is None:
            return 0
        if self._producer.fatal is not None:
            await self._producer.close(0)
            self._producer = self._connected()
        return sum(await asyncio.gather(*(self._published(serde, message) for message in messages)))

    async def close(self, timeout_seconds: float) -> None:
        """Wait for what is in flight."""
        await self._producer.close(timeout_seconds)

    async def _published(self, serde: TopicSerde[PredictionLogged], message: PredictionLogged) -> bool:
        try:
            await self._producer.publish(Outgoing(TOPIC, message.payment_id.encode(), serde.encode(message), {}))
        except (NeighbourUnavailableError, ContractViolationError):
            return False
        return True

    async def _known_serde(self) -> TopicSerde[PredictionLogged] | None:
        if self._serde is None and self._clock.monotonic() >= self._schema_at:
            self._schema_at = self._clock.monotonic() + _SCHEMA_AGAIN_SECONDS
            try:
                self._serde = await asyncio.to_thread(self._asked_serde)
            except (NeighbourUnavailableError, DeployStepMissingError):
                return None
        return self._serde

    def _asked_serde(self) -> TopicSerde[PredictionLogged]:
        ids = RegistrySchemaIds(self._registry)
        try:
            return TopicSerde(TOPIC, PredictionLogged, ids)
        finally:
            ids.close()

    def _connected(self) -> AcknowledgedProducer:
        return AcknowledgedProducer(
            self._kafka.producer_config(),
            delivery_timeout_ms=_DELIVERY_TIMEOUT_MS,
            max_message_bytes=MAX_MESSAGE_BYTES,
        )
