"""Compares what is served with what was trained, writes tables, says what to look at: `python -m mlops.monitoring`."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mlops.monitoring.adapters.postgresql import Findings
from mlops.monitoring.adapters.profiles import Profiles
from mlops.monitoring.jobs import Topics, Watch
from mlops.monitoring.ports import UnavailableError
from mlops.monitoring.report import Told
from mlops.monitoring.settings import database_url, kafka_config
from mlops.monitoring.thresholds import THRESHOLDS_FILE, State, ThresholdsError, overall, thresholds_of
from mlops.registry.ports import RegistryError
from mlops.registry.settings import registry_from

ALERT, FAILED = 1, 2
JOBS: Final = ("skew", "drift")
_DAYS: Final = 7


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.monitoring", description=__doc__)
    root.add_argument("jobs", nargs="*", metavar="job", help=f"default: all ({', '.join(JOBS)})")
    root.add_argument("--days", type=int, default=_DAYS, help=f"look at so many days up to today (default: {_DAYS})")
    root.add_argument("--thresholds", type=Path, default=THRESHOLDS_FILE, help="default: %(default)s")
    root.add_argument("--url", help="MLflow's base URL (default: TIDEGATE_MLFLOW_URL)")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run the jobs; 1 where a finding is an alert, 2 where a job cannot be done."""
    options = parser().parse_args(argv)
    if unknown := sorted(set(options.jobs) - set(JOBS)):
        parser().error(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    states = []
    try:
        for told in _run(options):
            states.append(told.state)
            sys.stdout.write("".join(f"{line}\n" for line in told.lines()))
            sys.stdout.flush()
    except (UnavailableError, ThresholdsError, RegistryError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return ALERT if overall(states) is State.ALERT else 0


def _run(options: argparse.Namespace) -> Iterator[Told]:
    jobs = options.jobs or JOBS
    thresholds, kafka = thresholds_of(options.thresholds), kafka_config()
    with Findings(database_url()) as findings:
        watch = Watch(kafka, Topics(), findings, thresholds, options.days, time.time_ns() // 1000)
        if "skew" in jobs:
            yield watch.skew()
        if "drift" in jobs:
            yield watch.drift(Profiles(registry_from(options.url)))


if __name__ == "__main__":
    sys.exit(main())
