"""One asset for each table that ingest writes and one for all that dbt builds, with what was found and left."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from mlops.pipelines.defs.dbt.assets import DBT_POOL, models
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import ALL, NAMESPACE, REJECTED
from mlops.pipelines.settings import lake_settings

if TYPE_CHECKING:
    from mlops.pipelines.lib.maintenance import Maintained

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
    @only_neighbours_again()
    def maintained() -> dg.MaterializeResult[None]:
        from mlops.pipelines.lib.maintenance import maintain

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
@only_neighbours_again()
def built_by_dbt(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """One table after the other; what was done before one failed is told all the same."""
    from mlops.pipelines.lib.catalog import LakeUnavailableError
    from mlops.pipelines.lib.maintenance import maintain, tables_beside

    settings, found = lake_settings(), []
    try:
        if tables := tables_beside(settings, TABLES):
            for each in maintain(settings, tables):
                found.append(each)
                context.log.info(str(each))
    except LakeUnavailableError as error:
        raise dg.Failure(str(error), metadata=_told(found)) from error
    return dg.MaterializeResult(metadata=_told(found))


def _told(found: Sequence["Maintained"]) -> dict[str, Any]:
    each = "\n".join(f"- {one}" for one in found)
    totals = {name: sum(one.metadata()[name] for one in found) for name in (found[0].metadata() if found else ())}
    return {"tables": len(found), "each": dg.MetadataValue.md(each or "none"), **totals}


@dg.asset(
    key=["maintenance", "runs"],
    group_name="maintenance",
    kinds={"postgres"},
    retry_policy=AGAIN,
    pool="runs",
    freshness_policy=_FRESH,
    description="Runs that were over a month ago forgotten, with their events and what they said.",
)
@only_neighbours_again()
def runs(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """The oldest first."""
    from mlops.pipelines.lib.old_runs import KEEP, forget_runs

    now = datetime.fromtimestamp(time.time_ns() / 1e9, UTC)
    return dg.MaterializeResult(metadata={"forgotten": forget_runs(context.instance, now - KEEP)})


MAINTENANCE: Final = [*map(_maintained, TABLES), built_by_dbt, runs]
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
