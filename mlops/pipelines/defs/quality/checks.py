"""Checks of bronze: every row is there once. What dbt tests (keys, money, masking) are checks of their own models."""

from typing import Final

import dagster as dg

from mlops.pipelines.defs.dbt.assets import DBT_POOL
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import NAMESPACE, SOURCES
from mlops.pipelines.settings import lake_settings

_MOST_DAYS: Final = 20


def _rows_agree(source: str) -> dg.AssetChecksDefinition:
    # In the turn of its ingest: bronze and what was rejected are two tables, and are read between two batches.
    @dg.asset_check(
        asset=[NAMESPACE, source],
        name="rows_agree",
        blocking=True,
        retry_policy=AGAIN,
        pool=f"ingest_{source}",
        description="Keys that PostgreSQL had stored by the watermark are in bronze, each once, or rejected; by day.",
    )
    def rows_agree() -> dg.AssetCheckResult:
        from mlops.pipelines.lib.catalog import open_catalog
        from mlops.pipelines.lib.row_counts import compared, what_to_do

        settings = lake_settings()
        with only_neighbours_again():
            found = compared(SOURCES[source], open_catalog(settings), settings)
        told = "\n".join(f"- {day}: {words}" for day, words in list(found.differing.items())[:_MOST_DAYS])
        return dg.AssetCheckResult(
            passed=not found.differing,
            description=what_to_do(SOURCES[source], found.differing) if found.differing else None,
            metadata={
                "stored": found.stored,
                "ingested": found.ingested,
                "rejected": found.rejected,
                "days that differ": len(found.differing),
                "days": dg.MetadataValue.md(told or "none"),
            },
        )

    return rows_agree


ROWS_AGREE: Final = [_rows_agree(source) for source in SOURCES]


@dg.asset_check(
    asset=["gold", "fct_payments"],
    name="money_agrees",
    blocking=True,
    retry_policy=AGAIN,
    # Between two runs of dbt: within one, silver is ahead of gold.
    pool=DBT_POOL,
    description="Totals of gold are PostgreSQL's, to the minor unit, in each currency by itself.",
)
def money_agrees() -> dg.AssetCheckResult:
    """Compare them."""
    from mlops.pipelines.lib.reconciliation import as_text, reconcile

    with only_neighbours_again():
        totals, found = reconcile(lake_settings())
    text = dg.MetadataValue.md(f"```\n{as_text(totals, found)}\n```")
    return dg.AssetCheckResult(passed=not found, metadata={"differences": len(found), "totals": text})
