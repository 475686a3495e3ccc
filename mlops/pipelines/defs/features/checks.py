"""What must hold of features before a model learns from them."""

from typing import Final

import dagster as dg

from mlops.pipelines.defs.features.assets import DIFFERENT, offline, online
from mlops.pipelines.lib.places import places

CUSTOMERS: Final = 50
_MOST_TOLD: Final = 5


@dg.asset_check(asset=offline, blocking=True, description="Rows of some customers hold what had arrived, and no more.")
def point_in_time() -> dg.AssetCheckResult:
    """Make them again, each from its own past alone."""
    from mlops.pipelines.lib import feature_export
    from mlops.training.history import fingerprint

    where = places()
    made = where.training / fingerprint(where.history)
    faults = feature_export.point_in_time_faults(where.history, made, CUSTOMERS, seed=1)
    return dg.AssetCheckResult(
        passed=not faults, metadata={"events that differ": len(faults), "examples": ", ".join(faults[:_MOST_TOLD])}
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
