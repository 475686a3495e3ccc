"""Asks Kafka how large a message its topics take, so that one that is too large for them is not met by and by."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package exports them without saying so
    AdminClient,
    ConfigResource,
    ResourceType,
)

from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.settings import PRODUCER_DEFAULTS

_SECONDS: Final = 5.0
_LIMIT: Final = "max.message.bytes"
# Whoever may write to a topic may not always look at its settings; a managed cluster may not show them to anybody.
_UNTOLD: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001 - its name
}


def refuse_small_topics(config: Mapping[str, Any], topics: Iterable[str], needed_bytes: int) -> None:
    """DeployStepMissingError where a topic takes less than that, NeighbourUnavailableError where Kafka does not answer.

    What the cluster does not tell passes. Blocks for seconds.
    """
    # A client of its own, and for this once: librdkafka's producers do not answer that.
    client = AdminClient({name: value for name, value in config.items() if name not in PRODUCER_DEFAULTS})
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    answers = client.describe_configs(resources, request_timeout=_SECONDS)
    limits = {resource.name: _limit(answer) for resource, answer in answers.items()}
    small = [f"{topic} ({limit} bytes)" for topic, limit in sorted(limits.items()) if limit and limit < needed_bytes]
    if small:
        raise DeployStepMissingError(
            f"Kafka would refuse messages of up to {needed_bytes} bytes on {', '.join(small)}: raise {_LIMIT} there; "
            "`python -m stack.topics` does"
        )


def _limit(answer: Any) -> int | None:
    try:
        entry = answer.result(2 * _SECONDS).get(_LIMIT)
    except KafkaException as error:
        if error.args[0].code() in _UNTOLD:
            return None
        raise NeighbourUnavailableError("Kafka", error.args[0].name()) from error
    return None if entry is None or entry.value is None else int(entry.value)
