"""The findings of the watch, written to PostgreSQL as its own role, from where ingest takes them to the lake."""

from datetime import timedelta
from typing import Final

import dagster as dg

from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import FINDINGS, NAMESPACE

_FRESH: Final = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26))


@dg.asset(
    key=["monitoring", "findings"],
    group_name="monitoring",
    kinds={"kafka", "postgres"},
    retry_policy=AGAIN,
    freshness_policy=_FRESH,
    description="Skew, drift and performance of the last seven days, a row a version, feature and day.",
)
@only_neighbours_again()
def findings() -> dg.MaterializeResult[None]:
    """Run both jobs. An alert is a finding and no fault of this: the sensor `drift_alarm` reads it."""
    from mlops.pipelines.lib.watching import watched

    found = watched()
    report = dg.MetadataValue.md("```\n" + "\n".join(found.lines) + "\n```")
    return dg.MaterializeResult(metadata={"state": found.state, "report": report})


WATCH: Final = dg.define_asset_job(
    "watch",
    dg.AssetSelection.assets(findings, *([NAMESPACE, table] for table in FINDINGS)),
    description="Compare what models were told and said with the stream, their training and what came of it.",
)
EVERY_NIGHT: Final = dg.ScheduleDefinition(
    name="watch_every_night", job=WATCH, cron_schedule="20 1 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
