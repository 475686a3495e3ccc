"""An ingest that is killed at a step: `python -m tests.integration.lake.ingest_killed <step> <times it is spared>`."""

import os
import signal
import sys
from itertools import count

from mlops.pipelines.lib.appended import ingest_rows
from mlops.pipelines.lib.ingest import lake_of
from mlops.pipelines.lib.lake import Step
from mlops.pipelines.settings import lake_settings

ROWS_AT_ONCE = 40


def main(fatal: str, spared: int) -> None:
    passes = count()

    def at(step: Step) -> None:
        if step == fatal and next(passes) == spared:
            os.kill(os.getpid(), signal.SIGKILL)

    ingest_rows("payment_events", lake_of(lake_settings(), rows_at_once=ROWS_AT_ONCE), at)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
