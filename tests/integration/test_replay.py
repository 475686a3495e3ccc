"""A replay reads from Kafka what was committed there, all of it, in the order in which it arrived."""

from collections.abc import Sequence

from confluent_kafka import Producer
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import microseconds
from services.inference.replay.past import Told
from services.inference.replay.stream import Stream
from services.runtime.serde import TopicSerde
from tests.engines import Engines
from tests.fakes.feature_messages import as_published, message
from tests.fakes.schema_ids import FixedSchemaIds
from tests.integration.conftest import MakeTopic
from tests.unit.mlops.features.histories import history

SECONDS = 30.0
IDS = FixedSchemaIds()


def arrived_us(told: Told) -> int:
    return microseconds(told.processed_at if isinstance(told, UnifiedPaymentEvent) else told.decided_at)


def test_both_topics_are_read_to_their_end_in_the_order_of_arrival(engines: Engines, make_topic: MakeTopic) -> None:
    normalized, decisions = make_topic("replay.events", 3), make_topic("replay.decisions", 3)
    sent = [message(fact) for fact in as_published(history(seed=21, payments=60))]
    publish(engines, normalized, decisions, sent)
    config = {"bootstrap.servers": engines.kafka_bootstrap_servers}
    stream = Stream(config, IDS, normalized=normalized, decisions=decisions)
    told = list(stream.told())
    assert [arrived_us(each) for each in told] == sorted(arrived_us(each) for each in sent)
    for kind in (UnifiedPaymentEvent, PaymentDecision):
        of_kind = [[each.event_id for each in some if isinstance(each, kind)] for some in (told, sent)]
        assert sorted(of_kind[0]) == sorted(of_kind[1])
        assert len(of_kind[0]) > 20
    assert stream.unreadable == 1
    assert normalized in stream.described


def publish(engines: Engines, normalized: str, decisions: str, sent: Sequence[Told]) -> None:
    """In a transaction as the normalizer does; before it one message that nobody can read, and one never committed."""
    events = TopicSerde(normalized, UnifiedPaymentEvent, IDS)
    scores = TopicSerde(decisions, PaymentDecision, IDS)
    producer = Producer({"bootstrap.servers": engines.kafka_bootstrap_servers, "transactional.id": normalized})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce(normalized, key="aborted", value=b"never committed")
    producer.abort_transaction(SECONDS)
    producer.begin_transaction()
    producer.produce(normalized, key="poison", value=b"no message")
    for each in sent:
        if isinstance(each, UnifiedPaymentEvent):
            producer.produce(normalized, key=each.merchant_id, value=events.encode(each))
        else:
            producer.produce(decisions, key=each.payment_id, value=scores.encode(each))
    producer.commit_transaction(SECONDS)
