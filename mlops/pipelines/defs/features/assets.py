"""The past as models learn from it, its features in Feast's offline store, and what the online store lacks."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from mlops.pipelines.lib.places import places
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.settings import LakeSettingsError, lake_settings

FRESH: Final = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8), warn_window=timedelta(days=2))
DIFFERENT: Final = "different"


@dg.asset(
    key=["features", "history"],
    group_name="features",
    kinds={"iceberg", "parquet"},
    retry_policy=AGAIN,
    pool="features",
    freshness_policy=FRESH,
    # It reads bronze. That gold could be made of the same rows, and its tests held, is what lets it.
    deps=[["bronze", "payment_events"], ["bronze", "decisions"], ["gold", "fct_payments"], ["gold", "fct_decisions"]],
    description="Events in order of arrival, our scores, and labels made of events alone: what training reads.",
)
@only_neighbours_again()
def history(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Read the past out of bronze, unless a check of what it is made of has found it wrong."""
    from mlops.pipelines.definitions import defs
    from mlops.pipelines.lib import feature_export
    from mlops.pipelines.lib.catalog import open_catalog
    from mlops.pipelines.lib.gate import stop_where_checks_failed

    stop_where_checks_failed(context.instance, defs.resolve_asset_graph(), context.asset_key)

    reader = feature_export.LakeReader(open_catalog(lake_settings()))
    made = feature_export.export(reader, places().history)
    snapshots = {f"snapshot_{name}": str(number) for name, number in made.snapshots.items()}
    return dg.MaterializeResult(metadata={"events": made.events, "scores": made.scores, **snapshots})


@dg.asset(
    key=["features", "offline"],
    group_name="features",
    kinds={"feast", "parquet"},
    retry_policy=AGAIN,
    pool="features",
    freshness_policy=FRESH,
    deps=[history],
    description="Every event's features as of itself, by the stream's transform; Feast and training read it.",
)
@only_neighbours_again()
def offline() -> dg.MaterializeResult[None]:
    """Make them, once for all who read them."""
    from mlops.pipelines.lib import feature_export
    from mlops.training.history import event_table, fingerprint

    where = places()
    table = event_table(where.history, where.training)
    made = where.training / fingerprint(where.history)
    feature_export.publish(made, where.features)
    feature_export.prune(where.training, keep=made)
    return dg.MaterializeResult(metadata={"events": table.num_rows, "columns": table.num_columns, "made": made.name})


@dg.asset(
    key=["features", "online"],
    group_name="features",
    kinds={"feast", "valkey"},
    retry_policy=AGAIN,
    freshness_policy=FRESH,
    deps=[offline],
    description="What the online store lacks of where the lake's history ends; what the stream wrote stays.",
)
@only_neighbours_again()
def online() -> dg.MaterializeResult[None]:
    """Compare and fill in."""
    from mlops.pipelines.lib.online_features import OnlineStore, Standing, materialise
    from mlops.training.history import STATES_FILE, fingerprint

    where, redis = places(), lake_settings().redis_url
    if redis is None:
        raise LakeSettingsError("TIDEGATE_REDIS_URL is not set: it says where the online store is")
    states = where.training / fingerprint(where.history) / STATES_FILE
    now = datetime.fromtimestamp(time.time_ns() / 1e9, UTC)
    found = materialise(states, OnlineStore(redis.get_secret_value()), now)
    counts = {each.value: found.standings.get(each, 0) for each in Standing}
    return dg.MaterializeResult(metadata={**counts, "too_old": found.too_old, "compared": found.compared})
