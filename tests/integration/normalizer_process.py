"""The normalizer as a process on topics of a test's own; all but their names and the schema ids is the real thing."""

import os
import sys
from dataclasses import replace

from services.normalizer.__main__ import resume, run
from services.normalizer.sources import TOPICS, Topics
from tests.fakes.schema_ids import FixedSchemaIds

SUFFIX_SETTING = "TIDEGATE_TEST_TOPIC_SUFFIX"


def topics_with(suffix: str) -> Topics:
    """The topics and the group under names that no other test has."""
    return replace(
        TOPICS,
        inputs={f"{topic}.{suffix}": message for topic, message in TOPICS.inputs.items()},
        normalized=f"{TOPICS.normalized}.{suffix}",
        failures=f"{TOPICS.failures}.{suffix}",
        group=f"{TOPICS.group}.{suffix}",
    )


if __name__ == "__main__":
    topics = topics_with(os.environ[SUFFIX_SETTING])
    sys.exit(resume(topics) if sys.argv[1:] == ["resume"] else run(topics, FixedSchemaIds))
