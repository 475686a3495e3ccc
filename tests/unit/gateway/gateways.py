"""A whole gateway in this process, over a broker and a registry in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from opentelemetry.trace import Tracer
from prometheus_client import REGISTRY

from services.gateway.adapters.kafka import KafkaInbox
from services.gateway.app import STRIPE_PATH, Gateway, build
from services.gateway.drift import DriftCount
from services.gateway.handler import TOPICS, StripeEndpoint
from services.gateway.webhook import Limits, StripeWebhook
from services.runtime.clock import FrozenClock, SequentialIds
from services.runtime.serde import TopicSerde
from tests.fakes.publisher import InMemoryBroker
from tests.fakes.schema_ids import FixedSchemaIds
from tests.unit.gateway.events import ENDPOINT, NOW, header

LIMITS = Limits(
    max_body_bytes=1_048_576,
    max_in_flight=10,
    max_in_flight_bytes=4_000_000,
    retry_after_seconds=15,
)


@dataclass
class Rig:
    """A gateway and what it stands on."""

    app: Gateway
    webhook: StripeWebhook
    inbox: KafkaInbox
    broker: InMemoryBroker
    client: httpx.AsyncClient
    clock: FrozenClock

    async def post(
        self, body: bytes | dict[str, Any], *, signature: bytes | None = None, **headers: str
    ) -> httpx.Response:
        """Post a body, signed unless another signature is given."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        signed = {"stripe-signature": (header(raw) if signature is None else signature).decode("latin-1")}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(STRIPE_PATH, content=raw, headers={**signed, **named})

    def stored(self) -> list[Any]:
        """The messages on all topics, decoded and checked against their contracts, in order."""
        return [
            TopicSerde(one.topic, TOPICS[one.topic], FixedSchemaIds()).decode(one.value, partition=0, offset=0)
            for one in self.broker.published
        ]


@asynccontextmanager
async def gateway(
    endpoint: StripeEndpoint | None = ENDPOINT,
    limits: Limits = LIMITS,
    *,
    is_ready: bool = True,
    broker: InMemoryBroker | None = None,
    spans: Tracer | None = None,
) -> AsyncIterator[Rig]:
    """A gateway that has looked at its neighbours once, unless told otherwise."""
    clock = FrozenClock(NOW)
    kept = broker or InMemoryBroker(TOPICS)
    inbox = KafkaInbox(lambda: kept, FixedSchemaIds(), TOPICS, clock)
    if is_ready:
        await inbox.check()
    drift = DriftCount("stripe", 2_000)
    ids = SequentialIds()
    webhook = StripeWebhook(endpoint, inbox, limits=limits, drift=drift, clock=clock, ids=ids, spans=spans)
    app = build(webhook, inbox, drift)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield Rig(app, webhook, inbox, kept, client, clock)


@dataclass
class RawRequest:
    """One request as a server hands it over, for what no client would send."""

    chunks: Sequence[bytes]
    headers: Sequence[tuple[bytes, bytes]] = ()
    # What to do when the chunks are used up although more was announced.
    at_end: Callable[[], Awaitable[MutableMapping[str, Any]]] | None = None
    received: int = 0
    sent: list[MutableMapping[str, Any]] = field(default_factory=list)

    async def run(self, app: Gateway) -> int | None:
        """The status it was answered with; None when it was not answered."""
        scope = {"type": "http", "method": "POST", "path": STRIPE_PATH, "headers": list(self.headers)}
        await app(scope, self._receive, self._send)
        return self.sent[0]["status"] if self.sent else None

    async def _receive(self) -> MutableMapping[str, Any]:
        if self.received == len(self.chunks) and self.at_end is not None:
            return await self.at_end()
        self.received += 1
        more = self.received < len(self.chunks) or self.at_end is not None
        return {"type": "http.request", "body": self.chunks[self.received - 1], "more_body": more}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)


def outcomes() -> dict[str, float]:
    """How many webhooks had each outcome so far, in this process."""
    found = {}
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == "tidegate_webhooks_total":
                found[sample.labels["outcome"]] = sample.value
    return found
