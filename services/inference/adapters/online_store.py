"""Reads entities off the online store for a call: one round trip, one deadline, and nothing while the store is away."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import RedisError
from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_DEADLINE,
    FALLBACK_CAUSE_FEATURES_UNAVAILABLE,
    FallbackCause,
)

from mlops.features.catalog import VIEW_OF
from mlops.features.online import STORED_FIELDS, rebuilding_key, stored
from mlops.features.online_layout import PROJECT, LayoutError, hash_key
from services.inference.adapters.store_connection import StoreConnection
from services.inference.breaker import Breaker
from services.inference.features import EntityKey, Found
from services.runtime.metrics import counter, gauge, histogram
from services.runtime.telemetry import logger

_RESP2: Final = 2
_CONNECTIONS: Final = 16
# Before the deadline of the caller: what is left is for the model, or for the rules.
_KEPT_FOR_ANSWER_SECONDS: Final = 0.005
# A read of many entities carries much.
_SECONDS_A_KEY: Final = 0.0001
_PROBE_SECONDS: Final = 1.0

_log = logger(__name__)


class RebuildingError(Exception):
    """Entities lack a part of their past: what the store holds of them is no feature."""


class OnlineStore:
    """A FeatureReader over Valkey. Must be made, used and closed on one event loop.

    A connection is used by one call at a time. The pool only makes them: handing one out costs it more than a read.
    """

    def __init__(self, url: str, breaker: Breaker, *, timeout_seconds: float, project: str = PROJECT) -> None:
        self._maker: ConnectionPool = ConnectionPool.from_url(
            url, protocol=_RESP2, socket_timeout=None, socket_connect_timeout=None, retry=Retry(NoBackoff(), 0)
        )
        self._idle: list[StoreConnection] = []
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._breaker = breaker
        self._timeout_seconds = timeout_seconds
        self._project = project
        self._rebuilding = _packed((b"EXISTS", rebuilding_key(project).encode()))
        self._probing: asyncio.Task[None] | None = None
        self._is_rebuilding = False
        self._counts = {
            outcome: counter("tidegate_feature_reads_total").labels(outcome)
            for outcome in ("read", "late", "failed", "rebuilding", "kept_away")
        }
        self._seconds = histogram("tidegate_feature_read_seconds")
        gauge("tidegate_feature_store_open").set(0)

    async def read(self, keys: Sequence[EntityKey], time_left: float | None = None) -> "Found | FallbackCause":
        """What is held of each entity, or why that is not known; never later than `time_left` seconds from now."""
        if self._breaker.is_open:
            self._counts["kept_away"].inc()
            return FALLBACK_CAUSE_FEATURES_UNAVAILABLE
        allowed = self._timeout_seconds + len(keys) * _SECONDS_A_KEY
        if time_left is not None and time_left - _KEPT_FOR_ANSWER_SECONDS < allowed:
            return await self._hurried(keys, time_left - _KEPT_FOR_ANSWER_SECONDS)
        return await self._within(keys, allowed, FALLBACK_CAUSE_FEATURES_UNAVAILABLE)

    async def close(self) -> None:
        """Disconnect."""
        if self._probing is not None:
            self._probing.cancel()
            with suppress(asyncio.CancelledError):
                await self._probing
        await self._forget_idle()

    async def _hurried(self, keys: Sequence[EntityKey], seconds: float) -> "Found | FallbackCause":
        """The caller's deadline, and no trouble of the store's, is what the read may fail at."""
        if seconds <= 0:
            self._counts["late"].inc()
            return FALLBACK_CAUSE_DEADLINE
        return await self._within(keys, seconds, FALLBACK_CAUSE_DEADLINE)

    async def _within(
        self, keys: Sequence[EntityKey], seconds: float, when_late: "FallbackCause"
    ) -> "Found | FallbackCause":
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(seconds):
                found = await self._asked(keys)
        except TimeoutError:
            self._counts["late"].inc()
            if when_late != FALLBACK_CAUSE_DEADLINE:
                self._failed("TimeoutError")
            return when_late
        except RebuildingError:
            self._counts["rebuilding"].inc()
            return FALLBACK_CAUSE_FEATURES_UNAVAILABLE
        except (RedisError, OSError, LayoutError) as error:
            self._counts["failed"].inc()
            if not isinstance(error, LayoutError):  # one entity's trouble is not the store's
                self._failed(type(error).__name__)
            return FALLBACK_CAUSE_FEATURES_UNAVAILABLE
        self._counts["read"].inc()
        self._seconds.observe(loop.time() - started)
        self._breaker.succeeded()
        return found

    async def _asked(self, keys: Sequence[EntityKey]) -> Found:
        hashes = [
            _packed((b"HMGET", hash_key(VIEW_OF[entity], key, self._project), *STORED_FIELDS[entity]))
            for entity, key in keys
        ]
        rebuilding, *held = await self._replies(b"".join((self._rebuilding, *hashes)), 1 + len(hashes))
        if rebuilding:
            raise RebuildingError
        return {key: stored(reply) for key, reply in zip(keys, held, strict=True)}

    async def _replies(self, commands: bytes, count: int) -> list[Any]:
        async with self._places:
            was_idle = bool(self._idle)
            connection = self._idle.pop() if was_idle else await self._connected()
            try:
                replies = await connection.ask(commands, count)
            except NotConnectedError:
                if not was_idle:
                    raise
                # It was closed while nobody used it, as when the store restarts; then so were the others.
                await self._forget_idle()
                connection = await self._connected()
                replies = await connection.ask(commands, count)
            self._idle.append(connection)
            return replies

    async def _connected(self) -> StoreConnection:
        return await StoreConnection.over(self._maker.make_connection())  # type: ignore[no-untyped-call]

    async def _forget_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    def _failed(self, error: str) -> None:
        if self._breaker.failed():
            _log.warning("store.unavailable", store="Valkey", error=error)
            gauge("tidegate_feature_store_open").set(1)
            self._probing = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        """Ask until it answers, with no caller waiting for it."""
        while (seconds := self._breaker.seconds_to_probe) is not None:
            await asyncio.sleep(seconds)
            await self._forget_idle()
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    await self._replies(_packed((b"PING",)), 1)
            except (RedisError, OSError):
                self._breaker.failed()
            else:
                self._breaker.succeeded()
        _log.info("store.recovered", store="Valkey")
        gauge("tidegate_feature_store_open").set(0)


def _packed(words: tuple[bytes, ...]) -> bytes:
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub knows commands of one word
    return packed
