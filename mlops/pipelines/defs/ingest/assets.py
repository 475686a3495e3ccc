"""One asset for each table of bronze: what PostgreSQL and Kafka have got since the last time."""

from datetime import timedelta
from typing import Final

import dagster as dg

from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import ALL, FINDINGS, NAMESPACE, PREDICTIONS, REJECTED, SOURCES
from mlops.pipelines.settings import lake_settings

_FRESH: Final = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=25), warn_window=timedelta(hours=2))


def _bronze(source: str) -> dg.AssetsDefinition:
    come_from = "kafka" if source == PREDICTIONS else "postgres"

    @dg.asset(
        key=[NAMESPACE, source],
        group_name="ingest",
        kinds={come_from, "iceberg"},
        pool=f"ingest_{source}",
        retry_policy=AGAIN,
        freshness_policy=_FRESH,
        # Findings of a day are written by the watch that is an asset itself.
        deps=[["monitoring", "findings"]] if source in FINDINGS else [],
        description=f"What {source} has got since the last time, each row once; rows that break a rule go to "
        "bronze.rejected_rows.",
    )
    @only_neighbours_again()
    def asset() -> dg.MaterializeResult[None]:
        from mlops.pipelines.lib.ingest import ingest

        report = ingest(source, lake_settings())
        return dg.MaterializeResult(
            metadata={
                "rows": report.rows,
                "rejected": report.rejected,
                "from": str(report.watermark_from),
                "to": str(report.watermark_to),
                "snapshot": str(report.snapshot_id),
            }
        )

    return asset


REJECTED_ROWS: Final = dg.AssetSpec(
    REJECTED.split("."),
    deps=[[NAMESPACE, source] for source in SOURCES],
    group_name="ingest",
    kinds={"iceberg"},
    description="Rows that broke a rule on their way in, with the rule: written by the ingest of their source.",
)
BRONZE: Final[list[dg.AssetsDefinition | dg.AssetSpec]] = [*(_bronze(source) for source in ALL), REJECTED_ROWS]
