"""Stores webhooks on Kafka, comes up without it, and recovers by itself when it goes away."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from google.protobuf.message import Message

from services.gateway.handler import Publish
from services.runtime.clock import Clock
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.producer import Outgoing, Publisher
from services.runtime.serde import SchemaIds, TopicSerde
from services.runtime.telemetry import logger

_PROBE_SECONDS: Final = 3.0
_READY_INTERVAL_SECONDS: Final = 5.0
_UNREADY_INTERVAL_SECONDS: Final = 1.0

_log = logger("gateway.kafka")


class Broker(Publisher, Protocol):
    """A publisher that can also be asked how it is. A caller must not assume that the checks return at once."""

    @property
    def fatal(self) -> str | None:
        """Why this publisher can never publish again, or None."""
        ...

    def missing_topics(self, topics: Iterable[str], timeout_seconds: float) -> list[str]:
        """Which topics the broker does not have; NeighbourUnavailableError when it does not answer."""
        ...

    async def close(self, timeout_seconds: float) -> int:
        """Wait for what is in flight; how many messages have no outcome after the timeout.

        Whoever waits for one of those gets NeighbourUnavailableError.
        """
        ...


class KafkaInbox:
    """Where webhooks are stored. Must be made and used on one event loop; `watch` must run for it to become ready."""

    def __init__(
        self,
        connect: Callable[[], Broker],
        ids: SchemaIds,
        topics: Mapping[str, type[Message]],
        clock: Clock,
        *,
        check_limits: Callable[[], None] = lambda: None,
    ) -> None:
        """`check_limits` raises where a topic takes no message as large as a webhook's; asked until it does not."""
        self._connect = connect
        self._check_limits = check_limits
        self._limits_checked = False
        self._broker = connect()
        self._ids = ids
        self._topics = topics
        self._clock = clock
        self._serdes: dict[str, TopicSerde[Any]] = {}
        self._unready: str | None = "starting: neither broker nor schemas have been asked yet"
        self._acknowledged_at = float("-inf")

    @property
    def unready(self) -> str | None:
        """What is missing before webhooks can be stored, in words; None when nothing is."""
        return self._unready

    async def store(self, decided: Publish, headers: Mapping[str, str]) -> None:
        """Return once the broker has the webhook for good; NeighbourUnavailableError when it may not have it.

        The decided message keeps its contract's rules, so it is not checked again.
        """
        if self._unready is not None:
            raise NeighbourUnavailableError("storage", self._unready)
        value = self._serdes[decided.topic].frame(decided.message)
        await self._broker.publish(Outgoing(decided.topic, decided.key.encode(), value, headers))
        self._acknowledged_at = self._clock.monotonic()

    async def watch(self) -> None:
        """Keep `unready` true to the facts, for as long as the process runs."""
        while True:
            await self.check()
            await asyncio.sleep(_READY_INTERVAL_SECONDS if self._unready is None else _UNREADY_INTERVAL_SECONDS)

    async def check(self) -> None:
        """Look once at broker, topics and schemas."""
        began = self._clock.monotonic()
        try:
            if self._broker.fatal is not None:
                await self._replace_broker(self._broker.fatal)
            unready = await asyncio.to_thread(self._missing)
        except (NeighbourUnavailableError, DeployStepMissingError) as error:
            unready = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watch goes on and the reason is told
            unready = f"the readiness check failed: {type(error).__name__}"
        if self._serdes.keys() == self._topics.keys() and self._acknowledged_at >= began:
            unready = None  # the broker took a webhook meanwhile, which says more than any check
        if unready is not None and unready != self._unready:
            _log.warning("probe.failed", reason=unready)
        elif unready is None and self._unready is not None:
            _log.info("probe.recovered")
        self._unready = unready

    async def close(self, timeout_seconds: float) -> int:
        """Wait for what is in flight; how many messages have no outcome after the timeout."""
        return await self._broker.close(timeout_seconds)

    def _missing(self) -> str | None:
        for topic, message_type in self._topics.items():
            if topic not in self._serdes:
                self._serdes[topic] = TopicSerde(topic, message_type, self._ids)
        missing = self._broker.missing_topics(self._topics, _PROBE_SECONDS)
        if missing:
            return f"Kafka has no topic {', '.join(missing)}; `make up` creates them"
        if not self._limits_checked:
            self._check_limits()
            self._limits_checked = True
        return None

    async def _replace_broker(self, reason: str) -> None:
        _log.error("broker.unavailable", reason=reason, action="the producer is replaced")
        broken, self._broker = self._broker, self._connect()
        await broken.close(0)
