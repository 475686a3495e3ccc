"""The jobs between a real broker and a real database: what is found stands in the tables, once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg.rows import dict_row
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import Outcome
from mlops.features.windows import DAY_US, SECOND_US
from mlops.monitoring.adapters.kafka import Topic
from mlops.monitoring.adapters.postgresql import Findings
from mlops.monitoring.jobs import Topics, Watch
from mlops.monitoring.performance import After
from mlops.monitoring.ports import UnavailableError
from mlops.monitoring.rows import ScoreDriftRow
from mlops.monitoring.thresholds import State, thresholds_of
from mlops.registry.profile import Profile
from services.orchestrator.adapters.database import Database as Pool
from services.orchestrator.adapters.decision_store import PostgresDecisionStore
from services.runtime.serde import TopicSerde
from tests.engines import Engines
from tests.fakes.feature_messages import as_published, decision, event
from tests.fakes.payments import recorded
from tests.fakes.schema_ids import FixedSchemaIds
from tests.fakes.times import NOW
from tests.integration.conftest import Database, MakeTopic
from tests.unit.mlops.features.histories import START_US, fact, history
from tests.unit.mlops.monitoring.serving import Platform, arrivals_of, feature
from workflows.payment_event.contract import PersistDecisionInput
from workflows.storage import Refused

_FOR_EVER = {"retention.ms": "-1"}
_FLUSH_SECONDS = 30.0
NOW_US = START_US + 200 * DAY_US


class Broker:
    """Topics of this module's own, filled as a deployment fills them."""

    def __init__(self, engines: Engines, make_topic: MakeTopic) -> None:
        self.config: dict[str, Any] = {"bootstrap.servers": engines.kafka_bootstrap_servers}
        names = ("inference.predictions", "payments.normalized", "payments.decisions")
        self.topics = Topics(*(make_topic(name, partitions=2, config=_FOR_EVER) for name in names))
        # In order, also where a first try comes before a new topic's leader.
        self._producer = Producer({**self.config, "enable.idempotence": True})
        ids = FixedSchemaIds()
        self._log = TopicSerde(self.topics.predictions, PredictionLogged, ids)
        self._events = TopicSerde(self.topics.normalized, UnifiedPaymentEvent, ids)
        self._decisions = TopicSerde(self.topics.decisions, PaymentDecision, ids)

    def publish(self, world: Platform, log: Sequence[PredictionLogged]) -> None:
        for arrival in world.arrivals:
            at_ms = arrival.at_us // 1000
            if arrival.event is not None:
                self._send(self.topics.normalized, arrival.fact.merchant_id, self._events.encode(arrival.event), at_ms)
            else:
                told = self._decisions.encode(decision(arrival.fact, decided_after_us=0))
                self._send(self.topics.decisions, arrival.fact.payment_id, told, at_ms)
        for each in log:
            self._send(
                self.topics.predictions, each.payment_id, self._log.encode(each), each.predicted_at.ToMilliseconds()
            )
        self._send(self.topics.normalized, "merchant_lumen", b"no message", NOW_US // 1000)
        assert self._producer.flush(_FLUSH_SECONDS) == 0

    def lose_the_first_half(self) -> None:
        """Of the events and of the decisions, as when they are older than their retention."""
        consumer = Consumer({**self.config, "group.id": "none"})
        lost = []
        for topic in (self.topics.normalized, self.topics.decisions):
            for partition in range(2):
                _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_FLUSH_SECONDS)
                lost.append(TopicPartition(topic, partition, end // 2))
        consumer.close()
        admin = AdminClient(self.config)
        for deleted in admin.delete_records(lost).values():
            deleted.result(_FLUSH_SECONDS)

    def _send(self, topic: str, key: str, value: bytes, at_ms: int) -> None:
        self._producer.produce(topic, value, key, timestamp=at_ms)
        self._producer.poll(0)


def rows(database: Database, statement: str, role: str = "reader") -> list[dict[str, Any]]:
    with psycopg.connect(database.url(role), row_factory=dict_row) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def store(database: Database, records: Sequence[PersistDecisionInput]) -> None:
    async def persist() -> None:
        pool = Pool(database.url("writer"), application="test")
        await pool.open()
        try:
            kept = await PostgresDecisionStore(pool, batch_rows=500).persist(records)
            assert not any(isinstance(each, Refused) for each in kept)
        finally:
            await pool.close()

    asyncio.run(persist())


def test_falsified_values_and_disputed_payments_stand_in_the_tables_once(
    engines: Engines, database: Database, make_topic: MakeTopic
) -> None:
    world = Platform(arrivals_of(list(as_published(history(1)))))
    log = [world.logged(index) for index in world.asked()]
    collected = [each for each in log if feature(each, "failed").value == 0]
    falsified = collected[4]
    feature(falsified, "total_payments_7d").value += 3
    broker = Broker(engines, make_topic)
    broker.publish(world, log)
    paid = [arrival.event for arrival in world.arrivals if arrival.event is not None]
    contested = next(each for each in paid if each.event_id == falsified.event_id)
    dispute = fact(999_999, at_us=START_US + 180 * DAY_US, outcome=Outcome.DISPUTED, payment=contested.payment_id)
    late = event(dispute)
    late.reason = "fraudulent"
    late.provider_created_at.FromMicroseconds(contested.provider_created_at.ToMicroseconds() + 20 * DAY_US)
    store(database, [recorded(each) for each in [*{each.event_id: each for each in paid}.values(), late]])
    values = np.array([[each.value if each.HasField("value") else np.nan for each in one.features] for one in log])
    names = tuple(each.name.partition(":")[2] for each in log[0].features)
    profile = Profile.of(names, values, np.full(len(log), 0.25), {"review": 0.1, "decline": 0.2})
    with Findings(database.url("monitor")) as findings:
        watch = Watch(broker.config, broker.topics, findings, thresholds_of(), days=400, now_us=NOW_US)
        for _ in range(2):
            skew, drift = watch.skew(), watch.drift(lambda _model, _version: profile)
    assert skew.state is State.ALERT
    assert [line for line in skew.findings if falsified.event_id in line] == list(skew.findings)
    (wrong,) = rows(database, "SELECT * FROM tidegate.feature_skew WHERE skew_share > 0")
    assert (wrong["feature"], wrong["different"], wrong["largest_difference"]) == (
        "customer_stats:total_payments_7d",
        1,
        3,
    )
    assert wrong["examples"] == [falsified.event_id]
    (compared,) = rows(database, "SELECT sum(compared) AS values, sum(equal) AS equal FROM tidegate.feature_skew")
    assert (compared["values"], compared["equal"]) == (values.size, values.size - 1)
    assert drift.summary.startswith("drift:")
    (scored,) = rows(database, "SELECT sum(predictions) AS predictions FROM tidegate.score_drift")
    assert scored["predictions"] == len(collected) < len(log)
    assert len(rows(database, "SELECT FROM tidegate.feature_drift WHERE feature = 'payment:hour_utc'")) == len(
        rows(database, "SELECT FROM tidegate.score_drift")
    )
    (came,) = rows(
        database,
        "SELECT sum(predictions) AS payments, sum(settled) AS settled, sum(happened) AS happened,"
        " sum(flagged) AS flagged FROM tidegate.model_performance",
    )
    assert came["payments"] == came["settled"] == came["flagged"] == len({one.payment_id for one in collected})
    assert came["happened"] == 1


def test_what_the_topics_have_lost_is_read_from_the_database(
    engines: Engines, database: Database, make_topic: MakeTopic
) -> None:
    facts = {each.event_id: each for each in history(2, people=2)}
    world = Platform(arrivals_of(sorted(as_published(list(facts.values())), key=lambda each: each.arrived_at_us)))
    log = [world.logged(index) for index in world.asked()]
    broker = Broker(engines, make_topic)
    broker.publish(world, log)
    scores = {each.fact.event_id: each.fact for each in world.arrivals if each.event is None}
    stored = [recorded(each.event) for each in world.arrivals if each.event is not None]
    for each in stored:
        if each.event.event_id in scores:
            each.decision.CopyFrom(decision(scores[each.event.event_id], decided_after_us=0))
    tables = "payment_events", "decisions", "decision_outbox", "feature_skew"
    rows(database, f"TRUNCATE {', '.join(f'tidegate.{table}' for table in tables)}", role="owner")
    store(database, stored)
    with Findings(database.url("monitor")) as findings:
        watch = Watch(broker.config, broker.topics, findings, thresholds_of(), days=400, now_us=NOW_US)
        whole = watch.skew()
        before = rows(database, "SELECT * FROM tidegate.feature_skew")
        broker.lose_the_first_half()
        rest = watch.skew()
    assert (whole.state, rest.state) == (State.OK, State.OK), [*whole.lines(), *rest.lines()]
    assert f" {len(log)} predictions" in whole.summary
    after = rows(database, "SELECT * FROM tidegate.feature_skew")
    again = [row for row in after if row not in before]
    assert 0 < len(again) < len(after), "days that the topics have lost a part of keep their rows"
    assert all(row["compared"] == row["equal"] for row in again)


def test_the_next_attempt_and_the_next_payment_are_found(database: Database) -> None:
    minute, day = 60 * SECOND_US, DAY_US
    told = [
        (0, Outcome.FAILED, "stripe:pi_x", "cus_x"),
        (SECOND_US, Outcome.FAILED, "stripe:pi_x", "cus_x"),  # the same attempt, told of again
        (minute, Outcome.SUCCEEDED, "stripe:pi_x", "cus_x"),
        (day, Outcome.SUCCEEDED, "stripe:pi_y", "cus_x"),
        (day, Outcome.DISPUTED, "stripe:pi_x", None),
    ]
    facts = [
        fact(9_000_000 + number, at_us=START_US + after_us, outcome=outcome, payment=payment, customer=customer)
        for number, (after_us, outcome, payment, customer) in enumerate(told)
    ]
    store(database, [recorded(event(each)) for each in facts])
    ids = [each.event_id for each in facts] + ["stripe:evt_nowhere"]
    with Findings(database.url("monitor")) as findings:
        retry, churn, fraud = (findings.first_after(question, ids) for question in ("retry", "churn", "fraud"))
    assert retry[ids[0]] == After(START_US + minute, succeeded=True)
    assert retry[ids[2]] is None
    assert churn[ids[0]] == After(START_US + day, succeeded=True), "the payment's own success is no other payment"
    assert churn[ids[3]] is None
    assert fraud[ids[0]] is None, "it was not disputed as fraudulent"
    assert ids[5] not in retry


def test_what_is_away_is_named(engines: Engines, database: Database) -> None:
    with pytest.raises(UnavailableError, match="there is no topic no_such_topic"):
        Topic({"bootstrap.servers": engines.kafka_bootstrap_servers}, "no_such_topic", PredictionLogged)
    row = ScoreDriftRow("fraud", "1", NOW.date(), 1, 0.5, None, None, None, None, State.UNKNOWN)
    with Findings(database.url("reader")) as findings, pytest.raises(UnavailableError, match="stack env monitor"):
        findings.write([row])
