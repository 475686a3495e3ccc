"""The feature stream as a process on topics and a project of a test's own; all but names and schema ids is real."""

import os
import sys

from services.features.__main__ import run
from services.features.sources import GROUP, TOPICS, Topics
from tests.fakes.schema_ids import FixedSchemaIds

SUFFIX_SETTING = "TIDEGATE_TEST_TOPIC_SUFFIX"


def topics_with(suffix: str) -> Topics:
    """The topics and the group under names that no other test has."""
    return Topics(f"{TOPICS.normalized}.{suffix}", f"{TOPICS.decisions}.{suffix}", f"{GROUP}.{suffix}")


if __name__ == "__main__":
    suffix = os.environ[SUFFIX_SETTING]
    sys.exit(run(topics_with(suffix), FixedSchemaIds, project=suffix))
