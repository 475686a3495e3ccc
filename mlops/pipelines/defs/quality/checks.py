"""Checks of bronze: every row is there once. What dbt tests (keys, money, masking) are checks of their own models.

Each compares what came since it held the last time, and all rows once a day (lib/held.py).
"""

import time
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg

from mlops.pipelines.defs.dbt.assets import DBT_POOL, EVENTS, MADE_OF
from mlops.pipelines.lib.held import question
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import NAMESPACE, PREDICTIONS, SOURCES
from mlops.pipelines.lib.watermark import Reach
from mlops.pipelines.settings import lake_settings

_MOST_DAYS: Final = 20
_LET_THROUGH: Final = (
    "What is known is let through by `python -m mlops.pipelines backfill {source} --day <event_day> --reject-limit 1`. "
)


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
    @only_neighbours_again()
    def rows_agree(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        from mlops.pipelines.lib.catalog import open_catalog
        from mlops.pipelines.lib.row_counts import compared, what_to_do
        from mlops.pipelines.lib.status import reach_of

        settings, key = lake_settings(), dg.AssetCheckKey(dg.AssetKey([NAMESPACE, source]), "rows_agree")
        asked = question(context.instance, key, reach_of(source, lake_settings()), _now())
        found = compared(SOURCES[source], open_catalog(settings), settings, asked.since)
        told = "\n".join(f"- {day}: {words}" for day, words in list(found.differing.items())[:_MOST_DAYS])
        return dg.AssetCheckResult(
            passed=not found.differing,
            description=what_to_do(SOURCES[source], found.differing) if found.differing else None,
            metadata={
                **asked.told(),
                "stored": found.stored,
                "ingested": found.ingested,
                "rejected": found.rejected,
                "days that differ": len(found.differing),
                "days": dg.MetadataValue.md(told or "none"),
            },
        )

    return rows_agree


ROWS_AGREE: Final = [_rows_agree(source) for source in SOURCES]


def _rejected_share(source: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=[NAMESPACE, source],
        name="rejected_share",
        blocking=True,
        retry_policy=AGAIN,
        description="Of the last day's rows no larger share was rejected than row_rules.yaml allows, however small the "
        "batches that they came in. Stops what is made of them from least_a_day rejected rows on; of fewer it warns.",
    )
    @only_neighbours_again()
    def rejected_share() -> dg.AssetCheckResult:
        from mlops.pipelines.lib.rejected import told_counts
        from mlops.pipelines.lib.rejected_share import share_of_day
        from mlops.pipelines.lib.row_rules import row_rules

        limit = row_rules(source).limit
        found = share_of_day(source, lake_settings(), _now())
        return dg.AssetCheckResult(
            passed=not found.is_over(limit),
            severity=dg.AssetCheckSeverity.ERROR if found.stops(limit) else dg.AssetCheckSeverity.WARN,
            description=None
            if not found.is_over(limit)
            else f"{found.share:.0%} of a day's rows break a rule, more than the reject_limit of {limit.share:.0%}: "
            "see bronze.rejected_rows, correct what writes them, or the rule or reject_limit of "
            f"{source} in row_rules.yaml. {_LET_THROUGH.format(source=source) if source in SOURCES else ''}It holds "
            "again once the day is over, or enough good rows came",
            metadata={
                "ingested": found.ingested,
                "rejected": found.bad,
                "share": found.share,
                "rules": told_counts(found.rejected) or "none",
            },
        )

    return rejected_share


def _keys_in_bronze(source: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["silver", source],
        name="keys_in_bronze",
        blocking=True,
        retry_policy=AGAIN,
        description="Silver has no row that a backfill or a rebuild has taken out of bronze.",
    )
    @only_neighbours_again()
    def keys_in_bronze(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        from mlops.pipelines.lib.left_behind import left_behind, what_to_do
        from mlops.pipelines.lib.status import reach_of

        key = dg.AssetCheckKey(dg.AssetKey(["silver", source]), "keys_in_bronze")
        asked = question(context.instance, key, reach_of(source, lake_settings()), _now())
        # Where bronze only grew, silver has nothing that bronze has not.
        days = left_behind(SOURCES[source], lake_settings()) if asked.since is None else {}
        return dg.AssetCheckResult(
            passed=not days,
            description=what_to_do(SOURCES[source], days) if days else None,
            metadata={**asked.told(), "rows": sum(days.values()), "days": ", ".join(list(days)[:_MOST_DAYS]) or "none"},
        )

    return keys_in_bronze


KEYS_IN_BRONZE: Final = [_keys_in_bronze(source) for source in SOURCES]
REJECTED_SHARE: Final = [_rejected_share(source) for source in (*SOURCES, PREDICTIONS)]


@dg.asset_check(
    asset=["gold", "fct_payments"],
    name="money_agrees",
    blocking=True,
    retry_policy=AGAIN,
    # Between two runs of dbt: within one, silver is ahead of gold.
    pool=DBT_POOL,
    description="Totals of gold are PostgreSQL's, to the minor unit, in each currency by itself.",
)
@only_neighbours_again()
def money_agrees(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Compare them: of payments with events that came since it held the last time, once a day of all."""
    from mlops.pipelines.lib.reconciliation import as_text, reconcile
    from mlops.pipelines.lib.status import reach_of

    made_of = _made_of(context.instance)
    key = dg.AssetCheckKey(dg.AssetKey(["gold", "fct_payments"]), "money_agrees")
    asked = question(context.instance, key, made_of or reach_of(EVENTS.path[-1], lake_settings()), _now())
    totals, found = reconcile(lake_settings(), made_of, asked.since)
    text = dg.MetadataValue.md(f"```\n{as_text(totals, found)}\n```")
    return dg.AssetCheckResult(passed=not found, metadata={**asked.told(), "differences": len(found), "totals": text})


def _made_of(instance: dg.DagsterInstance) -> Reach | None:
    """The state of bronze that silver has at least, as the run of dbt told it that built it last."""
    event = instance.get_latest_materialization_event(EVENTS)
    metadata = event.asset_materialization.metadata if event and event.asset_materialization else {}
    told: Any = metadata[MADE_OF].value if MADE_OF in metadata else None
    return None if told is None else Reach.from_told(told)


def _now() -> datetime:
    return datetime.fromtimestamp(time.time_ns() / 1e9, UTC)
