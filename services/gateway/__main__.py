"""Runs the gateway: `python -m services.gateway`."""

import asyncio
import gc
import logging
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import uvicorn

from services.gateway.adapters.kafka import KafkaInbox
from services.gateway.app import build
from services.gateway.connection import Connection, ConnectionLimits
from services.gateway.deadlines import Deadlines
from services.gateway.drift import DriftCount
from services.gateway.handler import TOPICS
from services.gateway.settings import GatewaySettings
from services.gateway.webhook import Limits, StripeWebhook
from services.runtime import contract
from services.runtime.clock import SystemClock, SystemIds
from services.runtime.lifecycle import run_until_signalled, start_telemetry
from services.runtime.producer import AcknowledgedProducer
from services.runtime.registry import RegistrySchemaIds
from services.runtime.settings import KafkaSettings, RegistrySettings, read_settings
from services.runtime.telemetry import is_tracing, logger, tracer
from services.runtime.topic_limits import refuse_small_topics

# What the topics take: proto/topics, max_message_bytes. A body is at most 1 MiB and its decoded part is no longer.
_MAX_MESSAGE_BYTES = 4_194_304
# Of key, headers and receipt.
_MOST_BESIDES_BODY = 65_536
_BACKLOG = 2_048

_log = logger("gateway")


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = read_settings(GatewaySettings)
    start_telemetry("gateway", settings)
    # uvicorn warns once for each request that is no HTTP: anybody could fill the log with it.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    kafka, registry = read_settings(KafkaSettings), read_settings(RegistrySettings)
    run_until_signalled(lambda stopping: serve(settings, kafka, registry, stopping))


async def serve(
    settings: GatewaySettings, kafka: KafkaSettings, registry: RegistrySettings, stopping: asyncio.Event
) -> None:
    """Serve until told to stop; then give every request in flight its true answer, and flush."""
    listener = _listen(settings.gateway_host, settings.gateway_port)
    clock = SystemClock()
    config = kafka.producer_config()
    largest = 2 * settings.gateway_max_body_bytes + _MOST_BESIDES_BODY
    inbox = KafkaInbox(
        lambda: _producer(settings, config),
        RegistrySchemaIds(registry),
        TOPICS,
        clock,
        check_limits=lambda: refuse_small_topics(config, TOPICS, largest),
    )
    drift = DriftCount("stripe", settings.gateway_drift_series)
    endpoint = settings.stripe_endpoint()
    if endpoint is None:
        _log.warning("endpoint.disabled", provider="stripe", setting="TIDEGATE_STRIPE_WEBHOOK_SECRET")
    spans = tracer("gateway") if is_tracing() else None
    limits = _limits(settings)
    webhook = StripeWebhook(endpoint, inbox, limits=limits, drift=drift, clock=clock, ids=SystemIds(), spans=spans)
    connection_limits = _connection_limits(settings)
    server = _Server(_uvicorn_config(build(webhook, inbox, drift), settings, connection_limits))
    _warm_up()
    deadlines = Deadlines(connection_limits, clock).watch(lambda: list(server.server_state.connections))
    watching = [asyncio.create_task(inbox.watch()), asyncio.create_task(deadlines)]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    _log.info("process.started", address="{}:{}".format(*listener.getsockname()[:2]))
    # A watch that fails ends the process, too: nothing would tell that it watches no more.
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait([serving, told, *watching], return_when=asyncio.FIRST_COMPLETED)
    _log.info("process.stopping")
    webhook.draining = True
    await _stop(server, serving, settings.gateway_drain_seconds)
    for watch in watching:
        watch.cancel()
    ended = await asyncio.gather(*watching, return_exceptions=True)
    unsettled = await inbox.close(settings.gateway_delivery_timeout_ms / 1000)
    _log.info("process.stopped", unsettled=unsettled)
    for error in ended:
        if isinstance(error, Exception):
            raise error


async def _stop(server: "_Server", serving: "asyncio.Task[None]", drain_seconds: float) -> None:
    """Accept no connection more, let the open ones end with an answer, then wait for the requests that are left."""
    for listening in getattr(server, "servers", ()):  # none yet when it is told to stop while it starts
        listening.close()
    await asyncio.wait([serving], timeout=drain_seconds)
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """uvicorn without its own handling of signals, which would end the process before what is in flight is flushed."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # a generator is one of these
        return nullcontext()


def _uvicorn_config(app: object, settings: GatewaySettings, limits: ConnectionLimits) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application, which uvicorn types more narrowly than FastAPI does
        loop="none",  # it runs on ours
        http=partial(Connection, limits=limits),  # type: ignore[arg-type]  # it is called as its class would be
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=settings.gateway_shutdown_seconds,
    )


def _producer(settings: GatewaySettings, config: Mapping[str, Any]) -> AcknowledgedProducer:
    return AcknowledgedProducer(
        config,
        delivery_timeout_ms=settings.gateway_delivery_timeout_ms,
        max_message_bytes=_MAX_MESSAGE_BYTES,
    )


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(
        max_body_bytes=settings.gateway_max_body_bytes,
        max_in_flight=settings.gateway_max_in_flight,
        max_in_flight_bytes=settings.gateway_max_in_flight_bytes,
        retry_after_seconds=settings.gateway_retry_after_seconds,
    )


def _connection_limits(settings: GatewaySettings) -> ConnectionLimits:
    return ConnectionLimits(
        most_connections=settings.gateway_max_connections,
        head_timeout_seconds=settings.gateway_head_timeout_seconds,
        body_timeout_seconds=settings.gateway_body_timeout_seconds,
        retry_after_seconds=settings.gateway_retry_after_seconds,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SystemExit(
            f"the gateway cannot listen on {host}:{port} ({error.strerror}); "
            "free the port or set TIDEGATE_GATEWAY_PORT to another"
        ) from error


def _warm_up() -> None:
    """Compile the rules of every contract before the first webhook, and spare the collector what stays anyway."""
    for message_type in TOPICS.values():
        contract.broken_rules(message_type())
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    main()
