"""The gateway as a process of its own on a real broker: what it acknowledges is there, whatever is killed."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import pytest
import pytest_asyncio
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from codegen.topics import load_topics
from services.gateway.handler import TOPICS
from services.runtime import headers as names
from services.runtime.producer import AcknowledgedProducer, Outgoing
from services.runtime.registry import RegistrySchemaIds
from services.runtime.serde import TopicSerde
from services.runtime.settings import RegistrySettings
from stack.home import REPOSITORY_ROOT, Home
from stack.topics import TOPICS as DECLARED
from stack.topics import deploy
from tests.engines import Engines, stack_command
from tests.fakes.publisher_suite import PublisherSuite, ReadAll
from tests.integration.gateway_client import SECRET, Connection, Load, event, signature
from tests.process_logs import assert_no_unexpected_errors

pytestmark = pytest.mark.timeout(300)

ENVELOPES = REPOSITORY_ROOT.parent / "shared/data/stripe/envelopes"
_UP_SECONDS = 180


@dataclass
class Broker:
    """A Kafka of this module's own, for it is going to be mistreated."""

    home: Path

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{Home(self.home).read_state().ports['kafka']}"

    def start(self) -> None:
        done = stack_command(self.home, "up", "kafka", timeout=_UP_SECONDS)
        assert done.returncode == 0, done.stdout

    def stop(self) -> None:
        stack_command(self.home, "down", timeout=_UP_SECONDS)

    def send(self, number: signal.Signals) -> None:
        os.kill(Home(self.home).read_state().processes["kafka"].pid, number)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("gateway"))
    try:
        made.start()
        deploy(AdminClient({"bootstrap.servers": made.servers}), list(load_topics(DECLARED).values()))
        yield made
    finally:
        made.stop()


@dataclass
class Gateway:
    """A gateway process."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int = field(init=False)

    def __post_init__(self) -> None:
        started = self.await_line("process.started")
        self.port = int(started["address"].rpartition(":")[2])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def await_line(self, event_name: str, seconds: float = 30) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.lines():
                if line["event"] == event_name:
                    return line
            time.sleep(0.05)
        raise AssertionError(f"no {event_name} in:\n{self.log.read_text()[-3000:]}")

    def await_ready(self, status: int = 200, seconds: float = 60) -> str:
        """Wait until /readyz answers so; returns what it says."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = httpx.get(f"{self.url}/readyz", trust_env=False)
            if answer.status_code == status:
                return answer.text
            time.sleep(0.1)
        raise AssertionError(f"/readyz still answers {answer.status_code}: {answer.text}")

    def answers(self, path: str) -> bool:
        return httpx.get(f"{self.url}{path}", trust_env=False).status_code == 200

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


Start = Callable[..., Gateway]


def launch(engines: Engines, broker: Broker, log: Path, **changed: str) -> Gateway:
    """A gateway process with settings changed by name."""
    environment = {
        **os.environ,
        "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS": broker.servers,
        "TIDEGATE_SCHEMA_REGISTRY_URL": engines.schema_registry_url,
        "TIDEGATE_STRIPE_WEBHOOK_SECRET": SECRET,
        "TIDEGATE_GATEWAY_PORT": "0",
        **changed,
    }
    with log.open("wb") as output:
        argv = [sys.executable, "-m", "services.gateway"]
        process = subprocess.Popen(argv, cwd=REPOSITORY_ROOT, env=environment, stdout=output, stderr=output)
    return Gateway(process, log)


@pytest.fixture
def start(engines: Engines, broker: Broker, tmp_path: Path) -> Iterator[Start]:
    """Starts gateways that a test may mistreat; whatever still runs afterwards is killed."""
    running: list[Gateway] = []

    def begin(**changed: str) -> Gateway:
        running.append(launch(engines, broker, tmp_path / f"gateway-{len(running)}.log", **changed))
        return running[-1]

    yield begin
    for gateway in running:
        if gateway.process.poll() is None:
            gateway.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def shared(engines: Engines, broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway for tests that only talk to it."""
    gateway = launch(engines, broker, tmp_path_factory.mktemp("shared") / "gateway.log")
    yield gateway
    gateway.stop()
    assert_no_unexpected_errors([gateway.log], ())


@pytest.fixture
def gateway(shared: Gateway) -> Gateway:
    """The shared gateway, ready whatever the test before did to its broker."""
    shared.await_ready()
    return shared


def stored(broker: Broker, topics: Sequence[str] = tuple(TOPICS)) -> list[Outgoing]:
    """Everything on these topics, partition by partition."""
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "test", "enable.partition.eof": True})
    known = consumer.list_topics(timeout=10).topics
    partitions = [
        TopicPartition(topic, number, OFFSET_BEGINNING) for topic in topics for number in known[topic].partitions
    ]
    consumer.assign(partitions)
    found: list[Outgoing] = []
    ended = 0
    while ended < len(partitions):
        message = consumer.poll(30)
        assert message is not None, "the broker went silent"
        if message.error() is not None:
            ended += 1
            continue
        pairs = cast("list[tuple[str, bytes]]", message.headers() or [])
        headers = {name: value.decode() for name, value in pairs}
        found.append(Outgoing(str(message.topic()), message.key() or b"", message.value() or b"", headers))
    consumer.close()
    return found


def receipts(broker: Broker) -> list[str]:
    """The receipt of every message on all topics."""
    return [message.headers[names.RECEIPT_ID] for message in stored(broker)]


def assert_nothing_lost(load: Load, broker: Broker) -> None:
    """What was acknowledged is stored, once."""
    found = Counter(receipts(broker))
    acknowledged = load.acknowledged()
    assert acknowledged
    assert {receipt: found[receipt] for receipt in acknowledged if found[receipt] != 1} == {}


@contextmanager
def frozen(broker: Broker) -> Iterator[None]:
    """A broker that keeps its connections and answers nothing."""
    broker.send(signal.SIGSTOP)
    try:
        yield
    finally:
        broker.send(signal.SIGCONT)


async def test_what_is_acknowledged_can_be_read_with_the_registered_contract(
    gateway: Gateway, broker: Broker, engines: Engines
) -> None:
    connection = await Connection.open(gateway.port)
    body = event(1, amount=1234)
    answer = await connection.post(body)
    assert answer.status == 202
    [message] = [one for one in stored(broker) if one.headers[names.RECEIPT_ID] == answer.receipt_id]
    assert (message.topic, message.key) == ("webhooks.stripe.charge", b"merchant_1")
    assert message.headers[names.EVENT_ID] == "stripe:evt_1"
    assert message.headers["traceparent"].startswith(f"00-{answer.receipt_id}-")
    with closing(RegistrySchemaIds(RegistrySettings(schema_registry_url=engines.schema_registry_url))) as registry:
        serde = TopicSerde(message.topic, TOPICS[message.topic], registry)
        webhook: Any = serde.decode(message.value, partition=0, offset=0)
    assert (webhook.charge.amount, webhook.raw_body) == (1234, body)
    await connection.close()


@pytest.mark.skipif(not ENVELOPES.exists(), reason=f"no captured webhooks at {ENVELOPES}")
async def test_every_captured_webhook_is_stored_once_with_its_exact_body(gateway: Gateway, broker: Broker) -> None:
    connection = await Connection.open(gateway.port)
    bodies = {}
    for path in sorted(ENVELOPES.glob("*.json")):
        body = path.read_bytes()
        answer = await connection.post(body)
        assert answer.status == 202, path.name
        bodies[answer.receipt_id] = body
    await connection.close()
    found = {one.headers[names.RECEIPT_ID]: one for one in stored(broker)}
    for receipt, body in bodies.items():
        message = found[receipt]
        webhook: Any = TOPICS[message.topic].FromString(message.value[6:])
        assert webhook.raw_body == body


async def test_neither_broker_nor_registry_are_needed_to_start(start: Start) -> None:
    nowhere = "127.0.0.1:1"
    gateway = start(TIDEGATE_KAFKA_BOOTSTRAP_SERVERS=nowhere, TIDEGATE_SCHEMA_REGISTRY_URL=f"http://{nowhere}")
    connection = await Connection.open(gateway.port)
    answer = await connection.post(event(1))
    assert (answer.status, answer.headers["retry-after"]) == (503, "15")
    await connection.close()
    assert gateway.answers("/healthz")
    assert gateway.await_ready(503)
    assert gateway.stop() == 0


async def test_a_broker_that_is_killed_costs_503_and_nothing_acknowledged(start: Start, broker: Broker) -> None:
    gateway = start(TIDEGATE_GATEWAY_DELIVERY_TIMEOUT_MS="3000")
    gateway.await_ready()
    load = Load(gateway.port, connections=8)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(1)
    broker.send(signal.SIGKILL)
    missing = await asyncio.to_thread(gateway.await_ready, 503)
    assert "Kafka" in missing
    await asyncio.to_thread(broker.start)
    await asyncio.to_thread(gateway.await_ready)
    before = len(load.acknowledged())
    await asyncio.sleep(1)
    load.stopping = True
    await running
    assert load.statuses() == {202, 503}
    assert load.unanswered == []
    assert len(load.acknowledged()) > before
    assert_nothing_lost(load, broker)


async def test_a_broker_that_is_silent_costs_503_within_the_delivery_timeout(start: Start, broker: Broker) -> None:
    gateway = start(TIDEGATE_GATEWAY_DELIVERY_TIMEOUT_MS="2000")
    gateway.await_ready()
    connection = await Connection.open(gateway.port)
    with frozen(broker):
        began = time.monotonic()
        answer = await connection.post(event(1))
        took = time.monotonic() - began
    assert (answer.status, answer.headers["retry-after"]) == (503, "15")
    assert took < 6
    await asyncio.to_thread(gateway.await_ready)
    assert (await connection.post(event(1))).status == 202
    await connection.close()


async def test_stopping_under_load_answers_every_request_and_loses_nothing(start: Start, broker: Broker) -> None:
    gateway = start()
    gateway.await_ready()
    load = Load(gateway.port, connections=24)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(2)
    code = await asyncio.to_thread(gateway.stop)
    await running
    assert code == 0
    assert load.unanswered == []
    assert load.statuses() == {202}
    assert any(answer.closes for answer in load.answers.values())
    assert gateway.lines()[-1]["event"] == "process.stopped"
    assert gateway.lines()[-1]["unsettled"] == 0
    assert_nothing_lost(load, broker)


async def test_stopping_while_the_broker_is_silent_gives_those_in_flight_their_503(
    start: Start, broker: Broker
) -> None:
    gateway = start(TIDEGATE_GATEWAY_DELIVERY_TIMEOUT_MS="3000")
    gateway.await_ready()
    connections = [await Connection.open(gateway.port) for _ in range(5)]
    with frozen(broker):
        posts = [asyncio.create_task(one.post(event(number))) for number, one in enumerate(connections)]
        await asyncio.sleep(0.5)
        stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
        answers = await asyncio.gather(*posts)
        assert {answer.status for answer in answers} == {503}
        assert await stopping == 0
    for connection in connections:
        await connection.close()


async def test_what_was_acknowledged_outlives_the_gateways_kill(start: Start, broker: Broker) -> None:
    gateway = start()
    gateway.await_ready()
    load = Load(gateway.port, connections=8)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(1)
    await asyncio.to_thread(gateway.stop, signal.SIGKILL)
    await running
    assert_nothing_lost(load, broker)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_long_gets_its_answer(gateway: Gateway, chunked: bool) -> None:  # noqa: FBT001
    connection = await Connection.open(gateway.port)
    answer = await connection.post(b"x" * 4_000_000, chunked=chunked)
    assert (answer.status, answer.closes) == (413, True)
    await connection.close()


def test_a_client_library_sees_the_answer_to_a_body_that_is_too_long(gateway: Gateway) -> None:
    answer = httpx.post(f"{gateway.url}/webhooks/stripe", content=b"x" * 4_000_000, trust_env=False)
    assert answer.status_code == 413


def test_the_outcomes_shown_add_up_to_what_was_posted(start: Start) -> None:
    gateway = start()
    gateway.await_ready()
    posts: list[tuple[bytes, str | None]] = [(event(n), signature(event(n))) for n in range(20)]
    posts += [(event(n), "t=1,v1=00") for n in range(5)]
    posts += [(b"[]", signature(b"[]")), (b"x" * 2_000_000, None)]
    with httpx.Client(trust_env=False) as client:
        for body, signed in posts:
            headers = {"stripe-signature": signed} if signed else {}
            client.post(f"{gateway.url}/webhooks/stripe", content=body, headers=headers)
        metrics = client.get(f"{gateway.url}/metrics").text
    counted = [line.split() for line in metrics.splitlines() if line.startswith("tidegate_webhooks_total")]
    by_outcome = {name.split('outcome="')[1].split('"')[0]: float(value) for name, value in counted}
    assert {name: value for name, value in by_outcome.items() if value} == {
        "accepted": 20,
        "unverified": 5,
        "dead": 1,
        "too_large": 1,
    }


async def test_clients_that_are_nobody_fill_no_memory_and_are_not_waited_for(start: Start) -> None:
    """Unfinished bodies of 1 MB on 100 connections, unsigned: they took 130 MB, for as long as they liked."""
    gateway = start(
        TIDEGATE_GATEWAY_MAX_IN_FLIGHT_BYTES="4194304",
        TIDEGATE_GATEWAY_BODY_TIMEOUT_SECONDS="30",
        TIDEGATE_GATEWAY_HEAD_TIMEOUT_SECONDS="2",
    )
    gateway.await_ready()
    process = psutil.Process(gateway.process.pid)
    before = process.memory_info().rss
    head = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\n"
    opened = []
    for _ in range(100):  # one after another: what one step of the loop reads at once is another matter
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        opened.append((reader, writer))
        writer.write(head + b"Content-Length: 1048576\r\n\r\n" + b"a" * 1_000_000)
        await writer.drain()
    _, silent = headless = await asyncio.open_connection("127.0.0.1", gateway.port)
    silent.write(head)
    connection = await Connection.open(gateway.port)
    assert (await connection.post(event(1))).status == 202
    assert process.memory_info().rss - before < 60 * 1_048_576
    for reader, writer in [*opened, headless]:
        assert (await asyncio.wait_for(reader.read(), 60)).startswith(b"HTTP/1.1 408 ")
        writer.close()
    await connection.close()


async def test_a_topic_that_takes_no_message_as_large_as_a_webhook_is_told_before_the_first_one(
    start: Start, broker: Broker
) -> None:
    """Else the large ones alone would be answered 503, for as long as their provider sends them."""
    topic = "webhooks.stripe.dispute"
    admin = AdminClient({"bootstrap.servers": broker.servers})
    limit = _limit(topic, "1000000")
    admin.incremental_alter_configs([limit])[limit].result(30)
    gateway = start()
    told = gateway.await_ready(503)
    while "starting" in told:
        told = gateway.await_ready(503)
    assert f"{topic} (1000000 bytes): raise max.message.bytes" in told
    deploy(admin, list(load_topics(DECLARED).values()))
    gateway.await_ready()
    connection = await Connection.open(gateway.port)
    body = event(1, filling="".join(secrets.token_hex(1_000) for _ in range(500)))
    assert (await connection.post(body)).status == 202
    await connection.close()


def _limit(topic: str, size: str) -> ConfigResource:
    entry = ConfigEntry("max.message.bytes", size, incremental_operation=AlterConfigOpType.SET)
    return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])


def test_a_port_that_is_taken_is_told_in_one_line(gateway: Gateway, engines: Engines) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway"],
        cwd=REPOSITORY_ROOT,
        env={
            **os.environ,
            "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS": engines.kafka_bootstrap_servers,
            "TIDEGATE_SCHEMA_REGISTRY_URL": engines.schema_registry_url,
            "TIDEGATE_GATEWAY_PORT": str(gateway.port),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{gateway.port}" in done.stderr
    assert "Traceback" not in done.stderr


class TestAcknowledgedProducer(PublisherSuite):
    """The producer on Kafka does what the one in memory does."""

    @pytest.fixture
    def topic(self, broker: Broker) -> str:
        name = f"publisher.{secrets.token_hex(4)}"
        client = AdminClient({"bootstrap.servers": broker.servers})
        client.create_topics([NewTopic(name, 1, replication_factor=-1)])[name].result(30)
        return name

    @pytest_asyncio.fixture
    async def publisher(self, broker: Broker) -> AcknowledgedProducer:
        config = {"bootstrap.servers": broker.servers}
        return AcknowledgedProducer(config, delivery_timeout_ms=4_000, max_message_bytes=4_194_304)

    @pytest.fixture
    def read_all(self, broker: Broker, topic: str) -> ReadAll:
        return lambda: stored(broker, [topic])
