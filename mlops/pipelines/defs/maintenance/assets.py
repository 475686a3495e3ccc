"""One asset for each table that ingest writes and one for all that dbt builds, with what was found and left."""

from datetime import timedelta
from typing import Final

import dagster as dg

from mlops.pipelines.defs.dbt.assets import DBT_POOL, models
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import ALL, NAMESPACE, REJECTED
from mlops.pipelines.settings import lake_settings

_FRESH: Final = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8), warn_window=timedelta(days=2))
TABLES: Final = (*(f"{NAMESPACE}.{source}" for source in ALL), REJECTED)
"""What ingest writes. All else in the lake is dbt's, and maintained in its turn."""


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


# In dbt's turn: a table that is compacted while dbt merges into it would have one of the two begin again.
@dg.asset(
    key=["maintenance", "built_by_dbt"],
    group_name="maintenance",
    kinds={"trino", "iceberg"},
    retry_policy=AGAIN,
    pool=DBT_POOL,
    freshness_policy=_FRESH,
    deps=sorted(models.keys),
    description="What ingest does not write (silver, gold, marts, and what dbt once built), as the catalog lists it: "
    "compacted, replaced states expired, columns that were dropped taken out of the files.",
)
def built_by_dbt() -> dg.MaterializeResult[None]:
    """One table after the other."""
    from mlops.pipelines.lib.maintenance import maintain, tables_beside

    settings = lake_settings()
    with only_neighbours_again():
        tables = tables_beside(settings, TABLES)
        found = list(maintain(settings, tables)) if tables else []
    told = "\n".join(f"- {each}" for each in found)
    totals = {name: sum(each.metadata()[name] for each in found) for name in (found[0].metadata() if found else ())}
    return dg.MaterializeResult(metadata={"tables": len(found), "each": dg.MetadataValue.md(told or "none"), **totals})


MAINTENANCE: Final = [*map(_maintained, TABLES), built_by_dbt]
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
