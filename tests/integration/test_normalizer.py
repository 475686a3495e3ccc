"""The normalizer against a real broker: exactly once whatever dies, poison passed by, a flood stopped."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook

from services.normalizer.service import EXIT_FLOOD, EXIT_STOPPED
from services.normalizer.sources import Topics
from services.runtime.serde import TopicSerde
from stack.home import REPOSITORY_ROOT
from tests.engines import Engines
from tests.fakes.schema_ids import FixedSchemaIds
from tests.fakes.stripe_webhooks import charge_webhook, receipt_id
from tests.integration.normalizer_process import SUFFIX_SETTING, topics_with

_PARTITIONS = 3
_SECONDS = 60.0
# Shorter than by default, so that a killed process's partitions are taken over sooner.
_SESSION_MS = 6000
_SENDING = {"linger.ms": 1, "enable.idempotence": True}
IDS = FixedSchemaIds()


@dataclass
class Seen:
    """What a reader of committed messages has seen so far."""

    events: list[UnifiedPaymentEvent] = field(default_factory=list)
    failures: list[ValidationFailure] = field(default_factory=list)
    headers: list[Mapping[str, bytes]] = field(default_factory=list)

    def event_ids(self) -> list[str]:
        return [event.event_id for event in self.events]


class World:
    """Topics of a test's own, a sender, a reader of committed messages, and processes."""

    def __init__(self, bootstrap: str, suffix: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.topics: Topics = topics_with(suffix)
        self.charges = next(topic for topic in self.topics.inputs if ".charge." in topic)
        self.seen = Seen()
        self._suffix = suffix
        self._folder = folder
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 4_194_304, **_SENDING})
        self._writer = TopicSerde(self.charges, ChargeWebhook, IDS)
        self._events = TopicSerde(self.topics.normalized, UnifiedPaymentEvent, IDS)
        self._failures = TopicSerde(self.topics.failures, ValidationFailure, IDS)
        self._reader: Consumer | None = None
        self._processes: list[Process] = []

    @property
    def all_topics(self) -> list[str]:
        return [*self.topics.inputs, self.topics.normalized, self.topics.failures]

    def create_topics(self, **config: str) -> None:
        """With the broker's settings, those of the inputs changed by `config`."""
        wanted = [
            NewTopic(name, _PARTITIONS, replication_factor=1, config=config if name in self.topics.inputs else {})
            for name in self.all_topics
        ]
        for created in self._admin.create_topics(wanted).values():
            created.result(_SECONDS)
        self._reader = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"reader.{self._suffix}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        outputs = (self.topics.normalized, self.topics.failures)
        self._reader.assign([TopicPartition(topic, part, 0) for topic in outputs for part in range(_PARTITIONS)])

    def limit(self, topic: str, size: str) -> None:
        """Let a topic take messages of so many bytes."""
        entry = ConfigEntry("max.message.bytes", size, incremental_operation=AlterConfigOpType.SET)
        changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self._admin.incremental_alter_configs([changed])[changed].result(_SECONDS)

    def send(
        self, number: int, merchant_id: str = "m1", headers: Mapping[str, str] | None = None, **charge: Any
    ) -> None:
        webhook = charge_webhook(number=number, merchant_id=merchant_id, **charge)
        sent = {"tidegate-receipt-id": receipt_id(number), **(headers or {})}
        self.send_bytes(self._writer.encode(webhook), merchant_id, sent)

    def send_bytes(self, value: bytes | None, key: str = "m1", headers: Mapping[str, str] | None = None) -> None:
        self._producer.produce(self.charges, key=key, value=value, headers=list((headers or {}).items()))
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(_SECONDS) == 0

    def read(self, seconds: float = 0.2) -> Seen:
        """Whatever has become visible since the last time, added to what was seen before."""
        assert self._reader is not None
        for message in self._reader.consume(1000, seconds):
            assert message.error() is None, message.error()
            at = {"partition": message.partition() or 0, "offset": message.offset() or 0}
            if message.topic() == self.topics.normalized:
                self.seen.events.append(self._events.decode(message.value(), **at))
                self.seen.headers.append(dict(message.headers() or []))  # type: ignore[arg-type]
            else:
                self.seen.failures.append(self._failures.decode(message.value(), **at))
        return self.seen

    def read_until(self, enough: Callable[[Seen], bool], seconds: float = _SECONDS) -> Seen:
        deadline = time.monotonic() + seconds
        while not enough(self.read()):
            if time.monotonic() > deadline:
                pytest.fail(f"saw only {len(self.seen.events)} events and {len(self.seen.failures)} failures")
        return self.seen

    def start(self, instance: str, **settings: str) -> "Process":
        process = Process(self, instance, settings)
        self._processes.append(process)
        return process

    def resume(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command that lifts holds."""
        command = [sys.executable, "-m", "tests.integration.normalizer_process", "resume", *arguments]
        return subprocess.run(
            command,
            cwd=REPOSITORY_ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        properties = self._folder / "librdkafka.properties"
        properties.write_text(f"session.timeout.ms={_SESSION_MS}\n")
        return {
            **os.environ,
            "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "TIDEGATE_KAFKA_PROPERTIES_FILE": str(properties),
            "TIDEGATE_LOG_LEVEL": "INFO",
            SUFFIX_SETTING: self._suffix,
        }

    def log_of(self, instance: str) -> Path:
        return self._folder / f"{instance}.log"

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        if self._reader is not None:
            self._reader.close()
            for deleted in self._admin.delete_topics(self.all_topics).values():
                deleted.result(_SECONDS)


class Process:
    """One process of the normalizer."""

    def __init__(self, world: World, instance: str, settings: Mapping[str, str]) -> None:
        self._world = world
        self.instance = instance
        self._settings = settings
        self._popen = self._launch()

    def _launch(self) -> "subprocess.Popen[bytes]":
        self.port = _free_port()
        own = {"TIDEGATE_INSTANCE": self.instance, "TIDEGATE_METRICS_PORT": str(self.port), **self._settings}
        with self._world.log_of(self.instance).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.integration.normalizer_process"],
                cwd=REPOSITORY_ROOT,
                env={**self._world.environment(), **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        self._popen.send_signal(signal.SIGCONT)
        self._popen.kill()
        self._popen.wait(_SECONDS)

    def restart(self) -> None:
        self._popen = self._launch()

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def stop(self) -> int:
        self._popen.terminate()
        return self._popen.wait(_SECONDS)

    def exit_code(self) -> int:
        """Wait for the process to end by itself."""
        return self._popen.wait(_SECONDS)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5, trust_env=False)

    def wait_for_readiness(self, status: int, words: str = "") -> str:
        deadline = time.monotonic() + _SECONDS
        answer = "nothing"
        while time.monotonic() < deadline:
            try:
                response = self.get("/readyz")
            except httpx.TransportError as error:
                answer = type(error).__name__
            else:
                answer = f"{response.status_code} {response.text}"
                if response.status_code == status and words in response.text:
                    return response.text
            time.sleep(0.1)
        pytest.fail(f"{self.instance} answers {answer}\n{self._world.log_of(self.instance).read_text()[-4000:]}")

    def events(self) -> list[str]:
        """The names of the events it has logged."""
        lines = self._world.log_of(self.instance).read_text().splitlines()
        return [json.loads(line)["event"] for line in lines if line.startswith("{")]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def world(engines: Engines, unique_name: Callable[[str], str], tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        made = World(engines.kafka_bootstrap_servers, unique_name("t"), tmp_path)
        stack.callback(made.close)
        yield made


def test_a_webhook_passes_and_takes_its_headers_along(world: World) -> None:
    world.create_topics()
    process = world.start("n1")
    process.wait_for_readiness(200)
    world.send(1, "merchant_1")
    world.flush()
    seen = world.read_until(lambda seen: bool(seen.events))
    assert (seen.event_ids(), seen.events[0].merchant_id) == (["stripe:evt_1"], "merchant_1")
    assert seen.headers[0]["tidegate-receipt-id"] == receipt_id(1).encode()
    assert seen.headers[0]["tidegate-event-id"] == b"stripe:evt_1"
    metrics = process.get("/metrics").text
    assert f'tidegate_messages_total{{outcome="normalized",stage="normalizer",topic="{world.charges}"}} 1.0' in metrics
    assert process.get("/healthz").status_code == 200
    assert process.stop() == EXIT_STOPPED


def test_it_waits_for_its_topics_and_says_so(world: World) -> None:
    process = world.start("n1")
    process.wait_for_readiness(503, "Kafka has no topic")
    world.create_topics()
    process.wait_for_readiness(200)
    world.send(1)
    world.flush()
    world.read_until(lambda seen: bool(seen.events))


def test_it_waits_while_a_topic_takes_no_message_as_large_as_its_own(world: World) -> None:
    """One that the broker refuses would else be done again and again, and hold up all behind it."""
    world.create_topics()
    world.limit(world.topics.normalized, "100000")
    process = world.start("n1")
    process.wait_for_readiness(503, f"{world.topics.normalized} (100000 bytes): raise max.message.bytes")
    world.limit(world.topics.normalized, "1048576")
    process.wait_for_readiness(200)


def test_it_waits_for_kafka_and_stops_when_told(world: World) -> None:
    process = world.start("n1", TIDEGATE_KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{_free_port()}")
    process.wait_for_readiness(503, "Kafka is unavailable")
    assert process.stop() == EXIT_STOPPED


def test_poison_is_put_aside_and_its_neighbours_pass(world: World) -> None:
    world.create_topics()
    process = world.start("n1")
    bad = [None, b"", b"\x00", b"not framed at all", b"\x00\x7f\xff\xff\xff\x00x", os.urandom(200)]
    for number in range(30):
        world.send(number)
        world.send_bytes(bad[number % len(bad)])
    world.flush()
    seen = world.read_until(lambda seen: len(seen.events) >= 30 and len(seen.failures) >= 30)
    assert seen.event_ids() == [f"stripe:evt_{number}" for number in range(30)]
    assert len({failure.event_id for failure in seen.failures}) == 30
    for failure in seen.failures:
        at = failure.origin
        assert failure.event_id == f"{world.charges}:{at.partition}:{at.offset}"
    process.wait_for_readiness(200)
    assert "message.dead" in process.events()


def test_neither_a_long_header_nor_a_large_event_stops_the_stream(world: World) -> None:
    """A signed webhook with a trace state of 1.1 MB, which an older gateway took, ended every normalizer."""
    world.create_topics(**{"max.message.bytes": "4194304"})
    process = world.start("n1")
    process.wait_for_readiness(200)
    trace = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": "a=" + "x" * 1_100_000}
    world.send(1)
    world.send(2, headers=trace)
    world.send(3, headers=trace, currency="lak")
    world.send(4, metadata={f"key_{number}": os.urandom(10_000).hex() for number in range(60)})
    world.send(5)
    world.flush()
    seen = world.read_until(lambda seen: len(seen.events) >= 3 and len(seen.failures) >= 2)
    assert seen.event_ids() == ["stripe:evt_1", "stripe:evt_2", "stripe:evt_5"]
    # Dead letters of different events lie on different partitions: between those there is no order.
    assert {failure.event_id: failure.violations[0].rule_id for failure in seen.failures} == {
        "stripe:evt_3": "currency.unsupported",
        "stripe:evt_4": "event.too_large",
    }
    assert "broker.unavailable" not in process.events()


def test_a_flood_is_stopped_held_and_resumed(world: World, expected_errors: set[str]) -> None:
    expected_errors |= {"flood.stopped", "process.failed"}
    world.create_topics()
    for number in range(50):
        world.send(number)
    for number in range(50, 1550):
        world.send(number, currency="lak")
    for number in range(1550, 1600):
        world.send(number)
    world.flush()
    first = world.start("n1")
    assert first.exit_code() == EXIT_FLOOD
    assert "flood.stopped" in first.events()

    # Neither a restart nor a peer reads on.
    first.restart()
    second = world.start("n2")
    for process in (first, second):
        assert "services.normalizer resume" in process.wait_for_readiness(503, "a flood was stopped")
    assert len(world.read(3).failures) <= 500

    # An operator who wants all of them put aside says so.
    for process in (first, second):
        assert process.stop() == EXIT_STOPPED
    lifted = world.resume()
    assert (lifted.returncode, lifted.stdout.split(":")[0]) == (0, "lifted"), lifted.stderr
    third = world.start("n3", TIDEGATE_NORMALIZER_FLOOD_FAILURES="5000", TIDEGATE_NORMALIZER_FLOOD_WINDOW="10000")
    seen = world.read_until(lambda seen: len(seen.events) >= 100 and len(seen.failures) >= 1500)
    assert (len(seen.events), len(seen.failures)) == (100, 1500)
    assert len({failure.event_id for failure in seen.failures}) == 1500
    third.wait_for_readiness(200)
    assert world.resume().stdout == "nothing is on hold\n"


def test_a_second_process_of_the_same_name_puts_the_first_one_out_and_nothing_is_lost(world: World) -> None:
    world.create_topics()
    world.start("twin").wait_for_readiness(200)
    world.start("twin").wait_for_readiness(200)
    for number in range(300):
        world.send(number, f"m{number % 7}")
    world.flush()
    seen = world.read_until(lambda seen: len(seen.events) >= 300)
    assert sorted(seen.event_ids()) == sorted(f"stripe:evt_{number}" for number in range(300))


@dataclass(frozen=True)
class Blow:
    """Something that happens to a process."""

    name: str
    # How long until it is over.
    seconds: float


KILL = Blow("kill -9", 0.5)
# Longer than the session: when it wakes, its partitions are another's and it does not know.
PAUSE = Blow("pause", 1.4 * _SESSION_MS / 1000)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_is_killed_or_paused_each_message_comes_out_once_and_in_order(world: World) -> None:
    """Two processes; one after the other is killed at a random moment and restarted, or paused beyond its session."""
    chance = random.Random(7)  # noqa: S311 - a seed, so that a failure can be looked at again
    world.create_topics()
    processes = [world.start("n1"), world.start("n2")]
    processes[0].wait_for_readiness(200)
    merchants = [f"m{number}" for number in range(20)]
    blows = iter([KILL, KILL, PAUSE, KILL, KILL, KILL, PAUSE, KILL])
    sent = 0

    def send_for(seconds: float) -> None:
        nonlocal sent
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for _ in range(20):
                world.send(sent, merchants[sent % len(merchants)])
                sent += 1
            world.read(0.02)

    for blow in blows:
        send_for(chance.uniform(0.5, 3.0))
        struck = chance.choice(processes)
        if blow is KILL:
            struck.kill()
            send_for(blow.seconds)
            struck.restart()
        else:
            struck.signal(signal.SIGSTOP)
            send_for(blow.seconds)
            struck.signal(signal.SIGCONT)
    world.flush()
    seen = world.read_until(lambda seen: len(seen.events) >= sent, seconds=120)
    world.read(5)
    assert len(seen.events) == sent
    assert sorted(seen.event_ids()) == sorted(f"stripe:evt_{number}" for number in range(sent))
    assert not seen.failures
    for merchant in merchants:
        numbers = [int(event.event_id.rpartition("_")[2]) for event in seen.events if event.merchant_id == merchant]
        assert numbers == sorted(numbers), merchant
    assert [process.stop() for process in processes] == [EXIT_STOPPED, EXIT_STOPPED]
