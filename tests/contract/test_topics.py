"""Topics are data, and the data agree with the contracts and with the code."""

import importlib
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor

from codegen.image import PROTO
from codegen.register import Sources
from codegen.topics import Topic, load_topics
from mlops.features.catalog import FEATURES
from mlops.features.state import ATTEMPTS_KEPT_US, HOURS_KEPT
from mlops.features.windows import DAY_US
from services.gateway import __main__ as gateway
from services.normalizer import sources as normalizer

TOPICS = load_topics(PROTO / "topics")
SERVICES = {folder.name for folder in Path("services").iterdir() if (folder / "__main__.py").exists()}


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_the_message_exists_and_has_the_key_as_a_text_field(topic: Topic) -> None:
    file = Sources((PROTO,)).file_of(topic.message)
    importlib.import_module(file.removesuffix(".proto").replace("/", ".") + "_pb2")
    descriptor = descriptor_pool.Default().FindMessageTypeByName(topic.message)  # type: ignore[no-untyped-call]
    assert descriptor.fields_by_name[topic.key].type == FieldDescriptor.TYPE_STRING


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_the_message_is_the_first_of_its_file(topic: Topic) -> None:
    """Confluent's framing then needs one byte for the index, and tools that ignore the index still read the topic."""
    path = Sources((PROTO,)).file_of(topic.message)
    text = (PROTO / path).read_text()
    first = text.index("\nmessage ")
    assert text[first:].startswith(f"\nmessage {topic.message.rpartition('.')[2]} {{")


def test_each_topic_takes_what_its_producer_lets_through() -> None:
    """A larger message would be refused by the broker, after the producer has promised it."""
    largest = {"gateway": gateway.__dict__["_MAX_MESSAGE_BYTES"], "normalizer": normalizer.MAX_MESSAGE_BYTES}
    limits = {(topic.producer, topic.max_message_bytes) for topic in TOPICS.values() if topic.producer in largest}
    assert limits == set(largest.items())
    assert {topic.name for topic in TOPICS.values() if topic.producer == "normalizer"} == {
        normalizer.TOPICS.normalized,
        normalizer.TOPICS.failures,
    }


def test_features_can_be_built_anew_from_what_the_topics_keep() -> None:
    remembered_days = max(ATTEMPTS_KEPT_US // DAY_US, HOURS_KEPT // 24)
    assert TOPICS["payments.normalized"].retention_days >= remembered_days
    longest_score_days = max(
        int(each.window.removesuffix("d")) for each in FEATURES if each.name.startswith("fraud_score")
    )
    assert TOPICS["payments.decisions"].retention_days > longest_score_days


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_producer_consumers_and_dlq_exist(topic: Topic) -> None:
    assert {topic.producer, *topic.consumers} <= SERVICES
    assert topic.dlq is None or topic.dlq in TOPICS


def test_an_unknown_key_in_a_topic_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text((PROTO / "topics" / "payments.decisions.yaml").read_text() + "retention_day: 3\n")
    with pytest.raises(ValueError, match="retention_day"):
        load_topics(tmp_path)
