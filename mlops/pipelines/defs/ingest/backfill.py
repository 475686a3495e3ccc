"""Reads a day again, where bronze lacks some of it or a rule was mended: a job with a partition a day."""

from typing import Final

import dagster as dg

from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.sources import SOURCES
from mlops.pipelines.settings import lake_settings

DAYS: Final = dg.DailyPartitionsDefinition(start_date="2025-01-01")


def _day_of(source: str) -> dg.OpDefinition:
    @dg.op(
        name=f"{source}_day",
        ins={"start": dg.In(dg.Nothing)},
        pool=f"ingest_{source}",
        retry_policy=AGAIN,
        description=f"The day's rows of {source} in bronze are replaced by those of PostgreSQL.",
    )
    @only_neighbours_again()
    def op(context: dg.OpExecutionContext) -> None:
        from mlops.pipelines.lib.ingest import backfill as backfill_day
        from mlops.pipelines.lib.left_behind import left_behind, what_to_do

        day = context.partition_time_window.start.date()
        report = backfill_day(source, day, lake_settings())
        days = left_behind(SOURCES[source], lake_settings())
        context.log.info("%s %s: %d rows, %d rejected", source, day, report.rows, report.rejected)
        if days:
            context.log.warning(what_to_do(SOURCES[source], days))

    return op


@dg.job(
    partitions_def=DAYS, description="Read a day of every source again: one run a day, as many days as are asked for."
)
def backfill() -> None:
    """The sources, each by itself."""
    for source in SOURCES:
        _day_of(source)()
