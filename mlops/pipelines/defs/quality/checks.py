"""Checks of bronze: every row is there once. What dbt tests (keys, money, masking) are checks of their own models."""

from typing import Final

import dagster as dg

from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import NAMESPACE, SOURCES
from mlops.pipelines.settings import lake_settings


def _rows_agree(source: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=[NAMESPACE, source],
        name="rows_agree",
        blocking=True,
        retry_policy=AGAIN,
        description="Each row that PostgreSQL had stored by the watermark is in bronze once, or rejected.",
    )
    def rows_agree() -> dg.AssetCheckResult:
        from mlops.pipelines.lib.catalog import open_catalog
        from mlops.pipelines.lib.row_counts import counted

        settings = lake_settings()
        with only_neighbours_again():
            found = counted(SOURCES[source], open_catalog(settings), settings.postgresql())
        return dg.AssetCheckResult(
            passed=found.missing == 0,
            metadata={
                "stored": found.stored,
                "ingested": found.ingested,
                "rejected": found.rejected,
                "missing": found.missing,
            },
        )

    return rows_agree


ROWS_AGREE: Final = [_rows_agree(source) for source in SOURCES]
