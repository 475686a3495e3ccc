"""Topics as data: reads proto/topics/<topic>.yaml, strictly."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Topic(BaseModel):
    """One topic, as its file states it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = Field(min_length=10)
    # Full name of the Protobuf message its values hold.
    message: str
    # Field of the message that is the Kafka key.
    key: str
    partitions: int = Field(gt=0)
    retention_days: int = Field(gt=0)
    max_message_bytes: int = Field(gt=0)
    producer: str
    consumers: tuple[str, ...] = ()
    # Where messages go that a consumer cannot take.
    dlq: str | None = None


def load_topics(folder: Path) -> Mapping[str, Topic]:
    """Every topic by name, in the order of their names."""
    files = sorted(folder.glob("*.yaml"))
    return {file.stem: Topic(name=file.stem, **yaml.safe_load(file.read_text())) for file in files}
