"""One asset for each table that is appended to, with what its maintenance found and left."""

from datetime import timedelta
from typing import Final

import dagster as dg

from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import NAMESPACE, PREDICTIONS, REJECTED, SOURCES
from mlops.pipelines.settings import lake_settings

_FRESH: Final = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8), warn_window=timedelta(days=2))
TABLES: Final = (*(source.table for source in SOURCES.values()), f"{NAMESPACE}.{PREDICTIONS}", REJECTED)
"""What ingest appends to. dbt's own tables are written by the day or anew, and need it less: `python -m mlops.pipelines
maintain` takes any."""


def _maintained(table: str) -> dg.AssetsDefinition:
    name = table.partition(".")[2]

    # It takes the ingest's turn: neither waits for the other's commits.
    @dg.asset(
        key=["maintenance", name],
        group_name="maintenance",
        kinds={"trino", "iceberg"},
        retry_policy=AGAIN,
        pool=f"ingest_{name}",
        freshness_policy=_FRESH,
        deps=[table.split(".")],
        description=f"{table} compacted, its old snapshots expired, files that nobody owns removed.",
    )
    def maintained() -> dg.MaterializeResult[None]:
        from mlops.pipelines.lib.maintenance import maintain

        with only_neighbours_again():
            # None of a table that nothing came to yet.
            found = list(maintain(lake_settings(), [table]))
        return dg.MaterializeResult(metadata={name: value for each in found for name, value in each.metadata().items()})

    return maintained


MAINTENANCE: Final = [_maintained(table) for table in TABLES]
MAINTAIN: Final = dg.define_asset_job(
    "maintain",
    dg.AssetSelection.groups("maintenance"),
    description="Keep the lake's tables fast: few files, few snapshots, nothing that nobody owns.",
)
# Ingest commits every ten minutes: a commit stays cheap with the two hundred snapshots that this leaves of a day.
EVERY_SIX_HOURS: Final = dg.ScheduleDefinition(
    name="maintain_every_six_hours",
    job=MAINTAIN,
    cron_schedule="40 3,9,15,21 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
