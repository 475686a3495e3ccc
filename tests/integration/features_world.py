"""Topics of a test's own, a store of its own, processes of the feature stream between them, and Feast beside it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so
from redis import Redis
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.catalog import VIEW_OF, Entity
from mlops.features.facts import PaymentFact, entity_keys
from mlops.features.online import VALUE_FIELDS, Stored, stored_values
from mlops.features.online_layout import hash_key
from mlops.features.transform import Values
from services.features.adapters.valkey import ValkeyStore
from services.features.handler import EntityKey, Partition
from services.runtime.clock import SystemClock
from services.runtime.serde import TopicSerde
from stack.home import REPOSITORY_ROOT
from tests.fakes.feature_messages import message
from tests.fakes.schema_ids import FixedSchemaIds
from tests.integration.features_process import SUFFIX_SETTING, topics_with

SECONDS = 90.0
_IDS = FixedSchemaIds()
# Shorter than by default, so that a killed process's partitions are taken over sooner.
_SESSION = "session.timeout.ms=6000\nheartbeat.interval.ms=1000\n"


class FeatureWorld:
    """One test's world; `close` ends what it started."""

    def __init__(self, bootstrap: str, redis_url: str, suffix: str, folder: Path) -> None:
        self.topics = topics_with(suffix)
        self.redis_url = redis_url
        self.suffix = suffix
        self.store = ValkeyStore(redis_url, SystemClock(), group=self.topics.group, project=suffix)
        self.sent: dict[Partition, int] = {}
        self._bootstrap = bootstrap
        self._folder = folder
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "enable.idempotence": True})
        self._events = TopicSerde(self.topics.normalized, UnifiedPaymentEvent, _IDS)
        self._decisions = TopicSerde(self.topics.decisions, PaymentDecision, _IDS)
        self._processes = ExitStack()

    def create_topics(self, partitions: int) -> None:
        """Both, with this many partitions."""
        names = (self.topics.normalized, self.topics.decisions)
        wanted = [NewTopic(name, partitions, replication_factor=1) for name in names]
        for created in self._admin.create_topics(wanted).values():
            created.result(SECONDS)

    def send(self, facts: Sequence[PaymentFact]) -> None:
        """As their messages, each topic keyed as it is in a deployment; returns when the broker has them."""
        for fact in facts:
            told = message(fact)
            if isinstance(told, PaymentDecision):
                self._produce(self.topics.decisions, fact.payment_id, self._decisions.encode(told))
            else:
                self._produce(self.topics.normalized, fact.merchant_id, self._events.encode(told))
        assert self._producer.flush(SECONDS) == 0

    def send_poison(self, merchant_id: str, value: bytes | None = b"no message") -> None:
        """What cannot be read."""
        self._produce(self.topics.normalized, merchant_id, value)
        assert self._producer.flush(SECONDS) == 0

    def _produce(self, topic: str, key: str, value: bytes | None) -> None:
        self._producer.produce(topic, key=key, value=value, on_delivery=self._note_delivery)
        self._producer.poll(0)

    def _note_delivery(self, error: Any, delivered: Any) -> None:
        assert error is None, error
        self.sent[delivered.topic(), delivered.partition()] = delivered.offset() + 1

    def start(self, instance: str = "features-1", **settings: str) -> "FeatureProcess":
        """One process more."""
        properties = self._folder / "kafka.properties"
        properties.write_text(_SESSION)
        given = {
            "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS": self._bootstrap,
            "TIDEGATE_KAFKA_PROPERTIES_FILE": str(properties),
            "TIDEGATE_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
            "TIDEGATE_REDIS_URL": self.redis_url,
            "TIDEGATE_INSTANCE": instance,
            SUFFIX_SETTING: self.suffix,
            **settings,
        }
        return self._processes.enter_context(FeatureProcess(self._folder / f"{instance}.log", given))

    def is_level(self) -> bool:
        """Whether the store has all that was sent."""
        held = self.store.offsets(list(self.sent))
        return all(held[partition] == end for partition, end in self.sent.items())

    def wait_until_level(self, seconds: float = SECONDS) -> None:
        wait_for(self.is_level, seconds, "the store to have all messages", pause=0.002)

    def states(self, keys: Sequence[EntityKey]) -> Mapping[EntityKey, Stored]:
        return dict(zip(keys, self.store.read(keys), strict=True))

    def stored_for(self, fact: PaymentFact) -> Mapping[Entity, Stored]:
        keys = list(entity_keys(fact).items())
        return {entity: held for (entity, _), held in self.states(keys).items()}

    def feast_values(self, entity: Entity, key: str) -> Values:
        """What Feast's fields hold, whose form another test compares with Feast."""
        view = VIEW_OF[entity]
        with Redis.from_url(self.redis_url) as client:
            reply: Any = client.hmget(hash_key(view, key, self.suffix), list(VALUE_FIELDS[view.name]))
        return stored_values(view, reply, 0).values

    def close(self) -> None:
        self._processes.close()
        self.store.close()
        for deleted in self._admin.delete_topics([self.topics.normalized, self.topics.decisions]).values():
            deleted.result(SECONDS)


class FeatureProcess:
    """A running process, stopped at the end if nothing stopped it before."""

    def __init__(self, log: Path, settings: Mapping[str, str]) -> None:
        self.log = log
        self.port = _free_port()
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.features_process"],
                cwd=REPOSITORY_ROOT,
                env={**os.environ, **settings, "TIDEGATE_METRICS_PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)

    def ready(self) -> tuple[int, str]:
        """Status and words of /readyz; 0 while nothing answers."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2, trust_env=False)
        except httpx.HTTPError:
            return 0, ""
        return answer.status_code, answer.text

    def wait_until_ready(self) -> None:
        wait_for(lambda: self.ready()[0] == 200, SECONDS, f"{self.log} to be ready")

    def wait_until_told(self, words: str) -> None:
        """Until /readyz says why it is not."""
        wait_for(lambda: self.ready()[0] == 503 and words in self.ready()[1], SECONDS, f"/readyz to say {words!r}")

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5, trust_env=False).text

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SECONDS)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(SECONDS)


def wait_for(condition: Callable[[], bool], seconds: float, what: str, pause: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} seconds for {what}")
        time.sleep(pause)


def arrived_now() -> int:
    """Our clock, in microseconds since 1970."""
    return int(SystemClock().now().timestamp() * 1_000_000)


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
