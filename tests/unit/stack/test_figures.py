from prometheus_client.samples import Sample

from stack.figures import lag, messages, models, webhooks

TOPIC = "payments.normalized"


def lag_of(group: str, partition: int, count: float) -> Sample:
    labels = {"group": group, "topic": TOPIC, "partition": str(partition)}
    return Sample("tidegate_consumer_lag", labels, count)


def test_lag_is_the_consumers_own_where_they_tell_it() -> None:
    """Kafka's offsets count the markers of transactions, which never drain."""
    own = {"orchestrator": [lag_of("orchestrator", 0, 0), lag_of("orchestrator", 1, 2)]}
    broker = {"orchestrator": {(TOPIC, 0): 1, (TOPIC, 1): 3}}
    assert lag(own, broker) == {"orchestrator": "2"}


def test_the_members_of_a_group_add_up() -> None:
    own = {"normalizer-1": [lag_of("normalizer", 0, 1)], "normalizer-2": [lag_of("normalizer", 1, 4)]}
    assert lag(own, {}) == {"normalizer": "5"}


def test_a_partition_that_two_members_tell_of_counts_once() -> None:
    own = {"normalizer-1": [lag_of("normalizer", 0, 1)], "normalizer-2": [lag_of("normalizer", 0, 4)]}
    assert lag(own, {}) == {"normalizer": "4"}


def test_what_no_member_tells_is_the_brokers_figure_with_a_mark() -> None:
    own = {"normalizer-1": [lag_of("normalizer", 0, 1)], "normalizer-2": None}
    assert lag(own, {"normalizer": {(TOPIC, 0): 2, (TOPIC, 1): 6}}) == {"normalizer": "≤7"}


def test_no_more_than_nothing_is_nothing() -> None:
    assert lag({"orchestrator": []}, {"orchestrator": {(TOPIC, 0): 0}}) == {"orchestrator": "0"}


def test_lag_is_unknown_where_neither_broker_nor_consumer_answers() -> None:
    own = {"normalizer-1": None, "normalizer-2": None, "orchestrator": [lag_of("orchestrator", 0, 3)]}
    assert lag(own, None) == {"orchestrator": "3", "normalizer": "unknown"}


def test_webhooks_are_counted_by_outcome() -> None:
    samples = [Sample("tidegate_webhooks_total", {"outcome": outcome}, 2) for outcome in ("accepted", "dead")]
    assert webhooks(samples) == {"received": "4", "accepted": "2", "dead": "2"}


def test_messages_are_counted_by_stage_and_outcome() -> None:
    labels = {"stage": "normalizer", "outcome": "dead"}
    samples = [Sample("tidegate_messages_total", {**labels, "topic": topic}, 1) for topic in "ab"]
    assert messages(samples) == {"normalizer dead": "2"}


def test_each_question_tells_who_answers_it_and_how_often_rules_did() -> None:
    asked = [("fraud", "fraud", "false", 97), ("fraud", "fraud-rules", "true", 3), ("retry", "retry-rules", "true", 5)]
    samples = [
        *(
            Sample("tidegate_predictions_total", {"question": q, "model": m, "fallback": by_rules, "cause": "x"}, count)
            for q, m, by_rules, count in asked
        ),
        Sample("tidegate_model_since_seconds", {"model": "fraud", "alias": "champion", "version": "7"}, 0),
        Sample("tidegate_model_since_seconds", {"model": "churn", "alias": "challenger", "version": "2"}, 0),
    ]
    told = models(samples)
    assert told["fraud"].startswith("champion version 7 since 1970-01-01")
    assert told["fraud"].endswith("rules gave 3% of 100 answers")
    assert told["retry"] == "rules gave 100% of 5 answers"
    assert told["churn"].startswith("challenger version 2 since ")
    assert told["churn"].endswith("not asked yet")
