"""A key's partition is the one that Kafka's own clients compute."""

import secrets

import pytest
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from services.runtime.settings import KafkaSettings
from tests.engines import Engines

_PARTITIONS = 12
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's own, line by line: org.apache.kafka.common.utils.Utils.murmur2, read 2026-11."""
    m, seed, length = 0x5BD1E995, 0x9747B28C, len(data)
    h = seed ^ length
    for start in range(0, length - 3, 4):
        k = int.from_bytes(data[start : start + 4], "little") * m & _MASK
        k = (k ^ k >> 24) * m & _MASK
        h = (h * m & _MASK) ^ k
    if rest := data[length & ~3 :]:
        h = (h ^ int.from_bytes(rest, "little")) * m & _MASK
    h = (h ^ h >> 13) * m & _MASK
    return h ^ h >> 15


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_reference_is_kafkas(key: bytes, hashed: int) -> None:
    """Cases of org.apache.kafka.common.utils.UtilsTest.testMurmur2."""
    assert murmur2(key) == hashed & _MASK


def test_a_thousand_keys_lie_where_kafkas_own_clients_would_put_them(engines: Engines) -> None:
    topic = f"partitions.{secrets.token_hex(4)}"
    client = AdminClient({"bootstrap.servers": engines.kafka_bootstrap_servers})
    client.create_topics([NewTopic(topic, _PARTITIONS, replication_factor=-1)])[topic].result(30)
    producer = Producer(KafkaSettings(kafka_bootstrap_servers=engines.kafka_bootstrap_servers).producer_config())
    reached: dict[bytes, int | None] = {}

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None
        reached[message.key() or b""] = message.partition()

    for number in range(1_000):
        producer.produce(topic, key=f"acct_{number:x}", value=b"", on_delivery=note)
    assert producer.flush(30) == 0
    client.delete_topics([topic])[topic].result(30)
    assert len(reached) == 1_000
    assert reached == {key: (murmur2(key) & 0x7FFFFFFF) % _PARTITIONS for key in reached}
