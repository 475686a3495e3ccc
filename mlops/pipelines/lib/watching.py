"""Runs the watch (mlops/monitoring) as its own role, which alone may write findings."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mlops.monitoring.adapters.postgresql import Findings
from mlops.monitoring.adapters.profiles import Profiles
from mlops.monitoring.jobs import Topics, Watch
from mlops.monitoring.settings import kafka_config
from mlops.monitoring.thresholds import overall, thresholds_of
from mlops.registry.settings import registry_from

DATABASE: Final = "TIDEGATE_MONITOR_DATABASE_URL"
_DAYS: Final = 7


class WatchSettingsError(Exception):
    """The role that may write findings is not told."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What both jobs said, and the worst of it."""

    lines: Sequence[str]
    state: str


def watched() -> Watched:
    """Skew, then drift. UnavailableError where Kafka, PostgreSQL or the registry is away; WatchSettingsError."""
    database = os.environ.get(DATABASE)
    if not database:
        raise WatchSettingsError(
            f"{DATABASE} is not set: the database's URL as the role tidegate_monitor "
            "(`python -m stack env lake` prints it)"
        )
    registry = registry_from(None)
    with Findings(database) as findings:
        watch = Watch(kafka_config(), Topics(), findings, thresholds_of(), _DAYS, time.time_ns() // 1000)
        told = [watch.skew(), watch.drift(Profiles(registry))]
    return Watched([line for each in told for line in each.lines()], overall(each.state for each in told).value)
