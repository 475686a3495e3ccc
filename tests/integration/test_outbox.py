"""The relay on real Kafka and PostgreSQL: one message on the topic for each stored decision, wherever it is killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision

from services.orchestrator.adapters.database import Database as Pool
from services.orchestrator.adapters.decision_log import KafkaDecisionLog
from services.orchestrator.adapters.decision_store import PostgresDecisionStore
from services.orchestrator.adapters.outbox import PostgresOutbox
from services.orchestrator.relay import Relay
from services.orchestrator.troubles import Troubles
from services.runtime.clock import SystemClock
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.serde import TopicSerde
from stack.home import REPOSITORY_ROOT
from tests.engines import Engines
from tests.fakes.payments import RECEIPT, recorded, succeeded
from tests.fakes.proxy import Proxy
from tests.fakes.schema_ids import FixedSchemaIds
from tests.integration.conftest import Database, MakeTopic


@dataclass
class Setup:
    """A database with an empty outbox, and a topic of its own."""

    database: Database
    bootstrap: str
    topic: str
    name: str

    def __post_init__(self) -> None:
        self.serde = TopicSerde(self.topic, PaymentDecision, FixedSchemaIds())
        self.troubles = Troubles()
        self.execute(
            "TRUNCATE tidegate.payment_events, tidegate.decisions, tidegate.decision_outbox, tidegate.relay_progress"
        )

    def execute(self, statement: str, role: str = "owner") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.url(role), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def log(self) -> KafkaDecisionLog:
        return KafkaDecisionLog({"bootstrap.servers": self.bootstrap}, self.serde, transactional_id=self.name)

    def outbox(self, url: str | None = None) -> PostgresOutbox:
        return PostgresOutbox(url or self.database.url("writer"), topic=self.topic, application="test")

    def relay(self, log: Callable[[], Any] | None = None, outbox: Any = None) -> Relay:
        return Relay(
            outbox or self.outbox(), log or self.log, self.troubles, SystemClock(), batch_rows=20, trouble_seconds=0.1
        )

    async def store(self, names: Sequence[str]) -> None:
        pool = Pool(self.database.url("writer"), application="test")
        await pool.open()
        try:
            await PostgresDecisionStore(pool, batch_rows=500).persist([recorded(succeeded(name)) for name in names])
        finally:
            await pool.close()

    def waiting(self) -> int:
        return int(self.execute("SELECT count(*) FROM tidegate.decision_outbox")[0][0])

    async def until_empty(self, timeout_seconds: float = 40) -> None:
        deadline = time.monotonic() + timeout_seconds
        while self.waiting():
            assert time.monotonic() < deadline, f"{self.waiting()} decisions wait; {self.troubles.told()}"
            await asyncio.sleep(0.1)

    def messages(self) -> list[Any]:
        """All committed messages."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "test-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        try:
            unread = set(consumer.list_topics(self.topic, timeout=10).topics[self.topic].partitions)
            consumer.assign([TopicPartition(self.topic, partition, 0) for partition in unread])
            found = []
            while unread:
                for message in consumer.consume(500, 0.2):
                    error = message.error()
                    if error is None:
                        found.append(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        unread.discard(message.partition())
            return found
        finally:
            consumer.close()

    def published(self) -> Counter[str]:
        """How often each event's decision was published."""
        return Counter(
            self.serde.decode(message.value(), partition=0, offset=0).event_id for message in self.messages()
        )

    def assert_each_once(self, names: Sequence[str]) -> None:
        assert self.published() == Counter(f"stripe:evt_{name}" for name in names)


@pytest.fixture
def setup(engines: Engines, database: Database, make_topic: MakeTopic, unique_name: Callable[[str], str]) -> Setup:
    topic = make_topic("payments.decisions", partitions=3)
    return Setup(database, engines.kafka_bootstrap_servers, topic, unique_name("relay"))


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[Relay]:
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def names(count: int, prefix: str = "n") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


async def test_stored_decisions_appear_on_the_topic_keyed_and_with_their_headers(setup: Setup) -> None:
    await setup.store(names(50))
    async with running(setup.relay()):
        await setup.until_empty()
    setup.assert_each_once(names(50))
    message = setup.messages()[0]
    decision = setup.serde.decode(message.value(), partition=0, offset=0)
    assert message.key() == decision.payment_id.encode()
    headers = dict(message.headers())
    assert headers[EVENT_ID] == decision.event_id.encode()
    assert headers[RECEIPT_ID] == RECEIPT.encode()


async def test_a_decision_whose_transaction_commits_late_is_published_although_higher_sequences_went_before(
    setup: Setup,
) -> None:
    with psycopg.connect(setup.database.url("owner")) as slow:
        slow.execute(
            "INSERT INTO tidegate.decision_outbox (event_id, payment_id, decision, headers) VALUES (%s, 'p', %s, '{}')",
            ["stripe:evt_late", recorded(succeeded("late")).decision.SerializeToString()],
        )
        await setup.store(["early"])
        async with running(setup.relay()):
            await setup.until_empty()
            setup.assert_each_once(["early"])
            slow.commit()
            await setup.until_empty()
    setup.assert_each_once(["early", "late"])


class Interrupted(KafkaDecisionLog):
    """Fails once, before or after the transaction is committed."""

    moment = ""

    def publish(self, decisions: Any) -> Any:
        if Interrupted.moment == "before":
            Interrupted.moment = ""
            self._producer.begin_transaction()
            for decision in decisions:
                self._produce(decision)
            self._producer.flush(10)
            raise NeighbourUnavailableError("Kafka", "interrupted before the commit")
        reached = super().publish(decisions)
        if Interrupted.moment == "after":
            Interrupted.moment = ""
            raise NeighbourUnavailableError("Kafka", "interrupted after the commit")
        return reached


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_interruption_around_the_commit_neither_loses_nor_repeats(setup: Setup, moment: str) -> None:
    async with running(setup.relay()):
        await setup.store(names(5, "first"))
        await setup.until_empty()
    Interrupted.moment = moment
    await setup.store(names(45))

    def log() -> Interrupted:
        return Interrupted({"bootstrap.servers": setup.bootstrap}, setup.serde, transactional_id=setup.name)

    async with running(setup.relay(log)):
        await setup.until_empty()
    assert Interrupted.moment == ""
    setup.assert_each_once([*names(5, "first"), *names(45)])


async def test_the_lead_that_loses_its_connection_is_taken_over_without_a_repeat(setup: Setup) -> None:
    outbox = setup.outbox()
    async with running(setup.relay(outbox=outbox)), running(setup.relay()):
        await setup.store(names(30))
        await setup.until_empty()
        killed = setup.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            role="superuser",
        )
        assert killed
        await setup.store(names(30, "later"))
        await setup.until_empty()
    setup.assert_each_once([*names(30), *names(30, "later")])


async def test_a_relay_that_was_put_out_cannot_publish_any_more(setup: Setup) -> None:
    await setup.store(["a"])
    outbox = setup.outbox()
    assert await outbox.lead()
    waiting = await outbox.next(10)
    first, second = setup.log(), setup.log()
    await asyncio.to_thread(first.open)
    await asyncio.to_thread(second.open)
    with pytest.raises(NeighbourUnavailableError):
        await asyncio.to_thread(first.publish, waiting)
    await asyncio.to_thread(second.publish, waiting)
    first.close()
    second.close()
    await outbox.release()
    setup.assert_each_once(["a"])


async def test_only_one_outbox_has_the_lead(setup: Setup) -> None:
    one, other = setup.outbox(), setup.outbox()
    assert await one.lead()
    assert not await other.lead()
    await one.release()
    async with asyncio.timeout(10):  # the server notices a moment later
        while not await other.lead():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)
    await other.release()


async def test_a_relay_killed_again_and_again_publishes_each_decision_once(setup: Setup) -> None:
    """Kill -9 of a process at moments that sweep over its loop of reading, publishing, committing and deleting."""
    wanted: list[str] = []
    for round_number in range(6):
        batch = names(60, f"r{round_number}-")
        wanted += batch
        await setup.store(batch)
        process = await asyncio.to_thread(_relay_process, setup)
        await asyncio.sleep(0.06 * round_number)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    async with running(setup.relay()):
        await setup.until_empty()
    setup.assert_each_once(wanted)


def _relay_process(setup: Setup) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.relay_process", setup.topic, setup.name, setup.bootstrap],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "TIDEGATE_DATABASE_URL": setup.database.url("writer")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


async def test_a_relay_whose_server_falls_silent_goes_on_with_the_one_in_its_place(setup: Setup) -> None:
    url = setup.database.url("writer")
    async with Proxy("127.0.0.1", urlsplit(url).port or 0) as proxy:
        relaying = asyncio.create_task(setup.relay(outbox=setup.outbox(proxy.instead_of(url))).run())
        try:
            await setup.store(["before"])
            await setup.until_empty()
            proxy.silence()
            # The machine that is gone holds no lock in its successor.
            setup.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                " WHERE locktype = 'advisory' AND datname = current_database()",
                "superuser",
            )
            await setup.store(["after"])
            await setup.until_empty(25)
        finally:
            relaying.cancel()
