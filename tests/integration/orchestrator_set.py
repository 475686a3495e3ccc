"""An orchestrator's surroundings for a test: topics, database, models, processes to start, kill and ask."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from services.orchestrator.service import Topics
from services.runtime.headers import RECEIPT_ID
from services.runtime.serde import TopicSerde
from stack.home import REPOSITORY_ROOT
from tests.fakes.schema_ids import FixedSchemaIds

_START_SECONDS = 90.0
_STOP_SECONDS = 40.0


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Process:
    """One orchestrator process."""

    name: str
    popen: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def kill(self) -> None:
        """Kill -9."""
        self.popen.kill()
        self.popen.wait(_STOP_SECONDS)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(_STOP_SECONDS)

    async def readiness(self) -> str:
        """What /readyz says; the kind of error when nobody answers."""
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2)
        except httpx.TransportError as error:
            return type(error).__name__
        return answer.text.strip()

    async def metrics(self) -> str:
        """The text of /metrics."""
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5)).text

    async def ready(self) -> None:
        """Return once it is ready."""
        deadline = time.monotonic() + _START_SECONDS
        said = ""
        while time.monotonic() < deadline:
            assert self.popen.poll() is None, f"{self.name} ended with {self.popen.returncode}:\n{self.tail()}"
            said = await self.readiness()
            if said == "ready":
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{self.name} is not ready: {said}\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]


@dataclass
class OrchestratorSet:
    """What the processes of one test share."""

    environment: Mapping[str, str]
    database_url: str
    topics: Topics
    folder: Path
    inference_address: str = "127.0.0.1:1"
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = FixedSchemaIds()
        self.events = TopicSerde(self.topics.events, UnifiedPaymentEvent, ids)
        self.failures = TopicSerde(self.topics.failures, ValidationFailure, ids)
        self.decisions = TopicSerde(self.topics.decisions, PaymentDecision, ids)
        self._producer = Producer({"bootstrap.servers": self.bootstrap, "acks": "all", "enable.idempotence": True})

    @property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self.environment["TIDEGATE_KAFKA_BOOTSTRAP_SERVERS"]

    def launch(self, port: int, **settings: str) -> Process:
        """Start one more process; settings are names without TIDEGATE_, in lower case."""
        name = f"orchestrator-{len(self.processes) + 1}"
        log = self.folder / f"{name}.log"
        own = {f"TIDEGATE_{key.upper()}": value for key, value in settings.items()}
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.integration.orchestrator_process",
                    self.topics.events,
                    self.topics.failures,
                    self.topics.decisions,
                    self.topics.task_queue,
                ],
                cwd=REPOSITORY_ROOT,
                env={
                    **{key: value for key, value in os.environ.items() if not key.startswith("TIDEGATE_")},
                    **self.environment,
                    "TIDEGATE_INSTANCE": name,
                    "TIDEGATE_METRICS_PORT": str(port),
                    "TIDEGATE_INFERENCE_ADDRESS": self.inference_address,
                    "TIDEGATE_CONSUMER_GROUP": f"orchestrator.{self.topics.task_queue}",
                    "TIDEGATE_RELAY_TRANSACTIONAL_ID": f"relay.{self.topics.task_queue}",
                    **own,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process = Process(name, popen, port, log)
        self.processes.append(process)
        return process

    def stop_all(self) -> None:
        """Leave nothing running."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait()

    def publish_events(self, events: Sequence[UnifiedPaymentEvent], headers: Mapping[str, str] | None = None) -> None:
        """Put events on the topic, as the normalizer does."""
        for event in events:
            own = {RECEIPT_ID: event.receipt_id, **(headers or {})}
            self._publish(self.topics.events, event.merchant_id, self.events.encode(event), own)
        self.flush()

    def publish_failures(self, failures: Sequence[ValidationFailure]) -> None:
        """Put failures on the topic, as the normalizer does."""
        for failure in failures:
            self._publish(self.topics.failures, failure.event_id, self.failures.encode(failure), {})
        self.flush()

    def publish_raw(self, topic: str, value: bytes | None) -> None:
        """Put any bytes on a topic."""
        self._publish(topic, "raw", value, {})
        self.flush()

    def flush(self) -> None:
        """Wait for the broker."""
        assert self._producer.flush(30) == 0

    def _publish(self, topic: str, key: str, value: bytes | None, headers: Mapping[str, str]) -> None:
        self._producer.produce(topic, key=key.encode(), value=value, headers=dict(headers))
        self._producer.poll(0)

    async def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows from the database, as the owner."""
        async with await psycopg.AsyncConnection.connect(self.database_url, autocommit=True) as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else []

    async def count(self, table: str) -> int:
        """Rows in a table of the schema."""
        return int((await self.query(f"SELECT count(*) FROM tidegate.{table}"))[0][0])  # noqa: S608 - a test's own

    async def until_more(self, table: str, rows: int, timeout_seconds: float = 30.0) -> None:
        """Return once a table has more than so many rows."""
        async with asyncio.timeout(timeout_seconds):
            while await self.count(table) <= rows:  # noqa: ASYNC110 - a table has no event to wait for
                await asyncio.sleep(0.02)

    async def until(self, table: str, rows: int, timeout_seconds: float = 30.0) -> None:
        """Return once a table has that many rows."""
        deadline = time.monotonic() + timeout_seconds
        found = -1
        while time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                found = await self.count(table)
                if found == rows:
                    return
            await asyncio.sleep(0.1)
        tails = "\n".join(process.tail() for process in self.processes)
        raise AssertionError(f"{table} has {found} rows, not {rows}\n{tails}")

    async def published(self, messages: int, timeout_seconds: float = 30.0) -> list[Any]:
        """All committed messages on the decisions topic, once there are at least so many; see that no more come."""
        deadline = time.monotonic() + timeout_seconds
        found: list[Any] = []
        while time.monotonic() < deadline:
            found = await asyncio.to_thread(self._read_decisions)
            if len(found) >= messages:
                break
            await asyncio.sleep(0.2)
        return found

    def _read_decisions(self) -> list[Any]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "test-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        try:
            partitions = (
                consumer.list_topics(self.topics.decisions, timeout=10).topics[self.topics.decisions].partitions
            )
            consumer.assign([TopicPartition(self.topics.decisions, partition, 0) for partition in partitions])
            unread, found = set(partitions), []
            while unread:
                for message in consumer.consume(1000, 0.2):
                    error = message.error()
                    if error is None:
                        found.append(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        unread.discard(message.partition())
            return found
        finally:
            consumer.close()

    def event_ids(self, messages: Sequence[Any]) -> list[str]:
        """The events that messages on the decisions topic are about."""
        return sorted(
            self.decisions.decode(message.value(), partition=message.partition(), offset=message.offset()).event_id
            for message in messages
        )
