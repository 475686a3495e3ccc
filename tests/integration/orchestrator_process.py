"""The orchestrator as a process of its own on a test's own topics: all but their names is the real thing."""

import sys

from services.orchestrator.__main__ import leave, run
from services.orchestrator.service import Topics
from tests.fakes.schema_ids import FixedSchemaIds

if __name__ == "__main__":
    leave(run(Topics(*sys.argv[1:]), FixedSchemaIds))
