from codegen.topics import Topic, load_topics
from stack.topics import TOPICS, Existing, plan, topic_config


def topic(name: str, partitions: int = 3, retention_days: int = 30) -> Topic:
    return Topic(
        name=name,
        description="Messages for a test.",
        message="tidegate.payments.v1.UnifiedPaymentEvent",
        key="merchant_id",
        partitions=partitions,
        retention_days=retention_days,
        max_message_bytes=1_048_576,
        producer="test",
    )


def existing(wanted: Topic, partitions: int | None = None) -> Existing:
    return Existing(partitions or wanted.partitions, {**topic_config(wanted), "compression.type": "producer"})


def test_a_missing_topic_is_created() -> None:
    wanted = topic("payments")
    assert plan([wanted], {}).create == [wanted]


def test_a_topic_that_agrees_is_left_alone() -> None:
    wanted = topic("payments")
    todo = plan([wanted], {"payments": existing(wanted)})
    assert not any([todo.create, todo.grow, todo.configure, todo.too_many_partitions])


def test_changed_retention_is_brought_in_line() -> None:
    todo = plan([topic("payments", retention_days=90)], {"payments": existing(topic("payments"))})
    assert [changed.name for changed in todo.configure] == ["payments"]


def test_partitions_are_added_and_never_taken_away() -> None:
    wanted = topic("payments", partitions=6)
    assert plan([wanted], {"payments": existing(wanted, partitions=3)}).grow == [wanted]
    todo = plan([wanted], {"payments": existing(wanted, partitions=9)})
    assert (todo.grow, todo.too_many_partitions) == ([], ["payments"])


def test_retention_and_size_are_given_in_kafkas_units() -> None:
    config = topic_config(topic("payments", retention_days=2))
    assert config == {"cleanup.policy": "delete", "retention.ms": "172800000", "max.message.bytes": "1048576"}


def test_the_broker_takes_the_largest_message_that_a_topic_allows() -> None:
    from stack.tuning import KAFKA

    largest = max(wanted.max_message_bytes for wanted in load_topics(TOPICS).values())
    assert largest <= int(KAFKA["message.max.bytes"])
