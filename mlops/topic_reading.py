"""How batch jobs read a topic: from offsets of their own to where it ends now, a member of no group."""

from collections.abc import Mapping
from typing import Any, Final

CALL_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 30.0
"""Nothing for so long, short of the end: the broker is away."""
_SETTINGS: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    # What is gone is an error, not a reason to begin elsewhere.
    "auto.offset.reset": "error",
}
SILENT: Final = f"Kafka has not answered for {PATIENCE_SECONDS:.0f} s; see `make status`"


def reader_config(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A consumer's configuration. librdkafka asks for a group; none is joined where partitions are assigned by hand."""
    return {**config, **_SETTINGS, "group.id": name}


def no_topic(topic: str, reason: str) -> str:
    """What is said where there is none."""
    return (
        f"there is no topic {topic} ({reason}); `make up` makes it, and so does `python -m stack.topics` on your own "
        "Kafka"
    )


def unreadable(topic: str, reason: str) -> str:
    """What is said where the broker refuses, or is away."""
    return (
        f"{topic} cannot be read: {reason}; see `make status`, and TIDEGATE_KAFKA_BOOTSTRAP_SERVERS for where Kafka is"
    )
