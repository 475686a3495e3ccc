"""Creates the topics that proto/topics describes, and brings existing ones in line; run as `python -m stack.topics`.

Reads TIDEGATE_KAFKA_BOOTSTRAP_SERVERS and TIDEGATE_KAFKA_PROPERTIES_FILE, so it serves one's own cluster as well. The
replication factor is the cluster's default. Partitions are only ever added: taking some away would lose messages.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package exports them without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from codegen.topics import Topic, load_topics
from services.runtime.settings import KafkaSettings
from stack.home import REPOSITORY_ROOT

TOPICS = REPOSITORY_ROOT / "proto" / "topics"

_DAY_MS = 86_400_000
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as the cluster has it."""

    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done to make the cluster agree with proto/topics."""

    create: Sequence[Topic]
    grow: Sequence[Topic]
    configure: Sequence[Topic]
    too_many_partitions: Sequence[str]


def topic_config(topic: Topic) -> dict[str, str]:
    """The topic's settings under Kafka's names."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(topic.retention_days * _DAY_MS),
        "max.message.bytes": str(topic.max_message_bytes),
    }


def plan(wanted: Sequence[Topic], existing: Mapping[str, Existing]) -> Plan:
    """Compare what is wanted with what is there."""
    known = [(topic, existing[topic.name]) for topic in wanted if topic.name in existing]
    return Plan(
        create=[topic for topic in wanted if topic.name not in existing],
        grow=[topic for topic, there in known if there.partitions < topic.partitions],
        configure=[topic for topic, there in known if topic_config(topic).items() - there.config.items()],
        too_many_partitions=[topic.name for topic, there in known if there.partitions > topic.partitions],
    )


def deploy(client: AdminClient, wanted: Sequence[Topic]) -> Plan:
    """Make the cluster agree; returns what was done. Raises KafkaException when the cluster refuses."""
    todo = plan(wanted, _existing(client, wanted))
    if todo.create:
        _await(client.create_topics([_new(topic) for topic in todo.create], request_timeout=_TIMEOUT_SECONDS))
    if todo.grow:
        _await(client.create_partitions([NewPartitions(topic.name, topic.partitions) for topic in todo.grow]))
    if todo.configure:
        _await(client.incremental_alter_configs([_resource(topic) for topic in todo.configure]))
    return todo


def main() -> int:
    """Deploy all topics; returns the exit code."""
    settings = KafkaSettings()  # type: ignore[call-arg]  # read from the environment
    client = AdminClient(settings.client_config())
    try:
        done = deploy(client, list(load_topics(TOPICS).values()))
    except KafkaException as error:
        sys.stderr.write(f"topics: {error.args[0].str()}\n")
        return 1
    for verb, topics in (("created", done.create), ("grown", done.grow), ("configured", done.configure)):
        for topic in topics:
            print(f"{verb} {topic.name}")
    for name in done.too_many_partitions:
        print(f"warning: {name} has more partitions than proto/topics asks for; they are left as they are")
    return 0


def _existing(client: AdminClient, wanted: Sequence[Topic]) -> dict[str, Existing]:
    topics = client.list_topics(timeout=_TIMEOUT_SECONDS).topics
    names = [topic.name for topic in wanted if topic.name in topics]
    if not names:
        return {}
    configs = _await(client.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names]))
    return {
        resource.name: Existing(
            len(topics[resource.name].partitions), {entry.name: entry.value for entry in config.values()}
        )
        for resource, config in configs.items()
    }


def _await(futures: Mapping[Any, Future[Any]]) -> dict[Any, Any]:
    return {key: future.result(timeout=_TIMEOUT_SECONDS) for key, future in futures.items()}


def _new(topic: Topic) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, replication_factor=-1, config=topic_config(topic))


def _resource(topic: Topic) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in topic_config(topic).items()
    ]
    return ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)


if __name__ == "__main__":
    sys.exit(main())
