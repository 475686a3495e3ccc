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


@dg.asset_check(
    asset=["gold", "fct_payments"],
    name="money_agrees",
    blocking=True,
    retry_policy=AGAIN,
    description="Totals of gold are PostgreSQL's, to the minor unit, in each currency by itself.",
)
def money_agrees() -> dg.AssetCheckResult:
    """Compare them."""
    from mlops.pipelines.lib.reconciliation import as_text, reconcile

    with only_neighbours_again():
        totals, found = reconcile(lake_settings())
    text = dg.MetadataValue.md(f"```\n{as_text(totals, found)}\n```")
    return dg.AssetCheckResult(passed=not found, metadata={"differences": len(found), "totals": text})
