"""Publishes a past's predictions from a file: `python -m services.inference.load_predictions FILE`.

For a past that was loaded, not served: services/inference/replay/answers.py writes the file. To do it again publishes
them again: the topic is a log, and nothing tells a prediction from its repetition.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from google.protobuf.proto import parse_length_prefixed  # type: ignore[import-not-found]  # newer than its stubs
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged

from services.inference.adapters.prediction_topic import PredictionTopic
from services.runtime.clock import SystemClock
from services.runtime.settings import KafkaSettings, RegistrySettings, read_settings

FAILED: Final = 1
_AT_ONCE: Final = 1_000
_CLOSE_SECONDS: Final = 30.0


class NotPublishedError(Exception):
    """The broker did not take a message; the message says what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Publish all of a file; 1 where the broker does not take it."""
    root = argparse.ArgumentParser(prog="python -m services.inference.load_predictions", description=__doc__)
    root.add_argument("file", type=Path)
    file = root.parse_args(argv).file
    try:
        count = asyncio.run(publish(file))
    except (OSError, NotPublishedError) as error:
        sys.stderr.write(f"\n{error}\n")
        return FAILED
    sys.stdout.write(f"{count:,} predictions published\n")
    return 0


async def publish(file: Path) -> int:
    """How many were published. NotPublishedError where one was not, with how many lie before it."""
    topic = PredictionTopic(read_settings(KafkaSettings), read_settings(RegistrySettings), SystemClock())
    published, left = 0, messages(file)
    try:
        while batch := list(islice(left, _AT_ONCE)):
            kept = await topic.write(batch)
            if kept < len(batch):
                raise NotPublishedError(
                    f"{published:,} predictions were published, and Kafka did not take all of the next {len(batch):,}: "
                    "`make status` tells whether it and the Schema Registry run, and `make register` registers schemas"
                )
            published += kept
            sys.stderr.write(f"\r{published:,} published")
            sys.stderr.flush()
    finally:
        await topic.close(_CLOSE_SECONDS)
    sys.stderr.write("\n")
    return published


def messages(file: Path) -> Iterator[PredictionLogged]:
    """The messages of a file, each after its length."""
    with file.open("rb") as content:
        while (message := parse_length_prefixed(PredictionLogged, content)) is not None:
            yield message


if __name__ == "__main__":
    sys.exit(main())
