"""What must hold of features before a model learns from them."""

from typing import Final

import dagster as dg

from mlops.pipelines.defs.features.assets import DIFFERENT, offline, online
from mlops.pipelines.lib.places import places
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.settings import lake_settings

_MOST_TOLD: Final = 5


@dg.asset_check(
    asset=offline,
    blocking=True,
    retry_policy=AGAIN,
    pool="features",
    description="Rows of some customers, cards and merchants, made again from bronze, hold what had arrived by then.",
)
@only_neighbours_again()
def point_in_time() -> dg.AssetCheckResult:
    """Make them again, each from its own past alone, in the order in which bronze says that it arrived."""
    from mlops.pipelines.lib import feature_export
    from mlops.pipelines.lib.catalog import open_catalog
    from mlops.pipelines.lib.point_in_time import compared
    from mlops.training.history import fingerprint

    where = places()
    made = where.training / fingerprint(where.history)
    bronze = feature_export.LakeReader(open_catalog(lake_settings()), feature_export.snapshots_of(where.history))
    found = compared(bronze, made, seed=1)
    return dg.AssetCheckResult(
        passed=not found.faults,
        metadata={
            "rows that differ": len(found.faults),
            "examples": ", ".join(found.faults[:_MOST_TOLD]),
            **{f"rows of {view}": count for view, count in found.rows.items()},
        },
    )


@dg.asset_check(asset=online, description="No entity of the online store says otherwise than the lake at one moment.")
def online_agrees(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """As the materialisation found it."""
    event = context.instance.get_latest_materialization_event(online.key)
    materialization = event.asset_materialization if event else None
    counts = {} if materialization is None else {name: each.value for name, each in materialization.metadata.items()}
    different = int(counts.get(DIFFERENT, 0))
    return dg.AssetCheckResult(
        passed=not different, severity=dg.AssetCheckSeverity.WARN, metadata={DIFFERENT: different}
    )
