"""Brings one batch of rows into a table of bronze: judged, the bad ones kept apart, each once, with how far it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import pyarrow as pa
from pyiceberg.table import Table, Transaction

from mlops.pipelines.lib import rejected
from mlops.pipelines.lib.columns import INGESTED_AT, TIMESTAMP, Column
from mlops.pipelines.lib.lake import At, Lake, TooManyRejectedError
from mlops.pipelines.lib.row_rules import RowRules, Verdict, judge, row_rules
from mlops.pipelines.lib.tables import commit, stage_rows
from mlops.pipelines.lib.watermark import REJECTED_BATCH, moment_after

Properties = Mapping[str, str]

MOST_OF_STOPPED: Final = 10_000
"""Rows of a stopped batch that are kept to be looked at: it may be bad from end to end, and comes again."""
_STOPPED: Final = (
    "Nothing of the batch entered bronze, and the watermark stays: the source stands still until this is mended. The "
    "rows are in bronze.rejected_rows, by rule, until the batch passes: SELECT rule_id, key, row FROM "
    "lake.bronze.rejected_rows WHERE source_table = '{source}' ORDER BY rejected_at DESC. Correct them where they come "
    "from, or the rule or reject_limit in mlops/pipelines/lib/row_rules.yaml; or let the good ones pass once: "
    "`python -m mlops.pipelines ingest {source} --reject-limit 1`"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a source's rows go, and how they are judged."""

    lake: Lake
    origin: rejected.Origin
    rules: RowRules
    at: At

    @property
    def columns(self) -> Sequence[Column]:
        """The table's columns, by the contract of now."""
        return self.origin.columns


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows, with where they begin and end as properties of the table say it."""

    batch_id: str
    rows: pa.Table
    # Whether a table's properties say that the batch follows on from it.
    follows: Callable[[Properties], bool]
    # What they say once it is in.
    moves_to: Properties
    # Keys that are taken already.
    taken: Mapping[str, pa.Array]
    # Rows of bronze.rejected_rows beside those that the rules find.
    unreadable: pa.Table | None = None


def rules_of(source: str, lake: Lake) -> RowRules:
    """The rules of a source, with the limit that the caller set."""
    rules = row_rules(source)
    return rules if lake.reject_limit is None else replace(rules, limit=replace(rules.limit, share=lake.reject_limit))


def bring(target: Target, table: Table, batch: Batch) -> tuple[Table, Verdict]:
    """Two commits: the rejected rows, then the others with what the batch moves to. Killed between, both come again.

    Raises TooManyRejectedError after the first, SupersededError where another writer was faster.
    """
    source, lake = target.origin.source, target.lake
    verdict = judge(batch.rows, target.rules, lake.now, batch.taken)
    unread = batch.unreadable.num_rows if batch.unreadable is not None else 0
    told = _too_many(target, verdict, unread)
    moment, at_moment = moment_after(table.properties, lake.now)
    bad = rejected.rejected_rows(target.origin, verdict, batch.batch_id, moment, MOST_OF_STOPPED if told else None)
    if batch.unreadable is not None:
        bad = pa.concat_tables([bad, batch.unreadable])
    target.at("judged")
    rejected.keep(lake.catalog, source, bad, batch.batch_id, table.properties.get(REJECTED_BATCH))
    if told:
        raise TooManyRejectedError(f"{told}. {_STOPPED.format(source=source)}")
    target.at("rejected")
    properties = {**batch.moves_to, **at_moment, **({REJECTED_BATCH: batch.batch_id} if bad.num_rows else {})}
    kept = stamped(verdict.kept, moment)

    def stage(transaction: Transaction) -> None:
        stage_rows(transaction, target.columns, kept, properties)
        target.at("staged")

    table = commit(table, stage, batch.follows, lambda found: batch.moves_to.items() <= found.items())
    target.at("committed")
    return table, verdict


def judged(target: Target, rows: pa.Table) -> Verdict:
    """A day's rows parted by the rules. TooManyRejectedError where they pass the limit: nothing is replaced."""
    verdict = judge(rows, target.rules, target.lake.now)
    if told := _too_many(target, verdict, unread=0):
        raise TooManyRejectedError(
            f"{told}. The day stays in bronze as it was: correct the rows, or the rules or reject_limit of "
            f"{target.origin.source} in mlops/pipelines/lib/row_rules.yaml, or let the good ones pass with "
            "--reject-limit 1"
        )
    return verdict


def _too_many(target: Target, verdict: Verdict, unread: int) -> str | None:
    """What is said of a batch that passes the limit; None of any other."""
    limit, bad = target.rules.limit, verdict.rejected.num_rows + unread
    rows = verdict.kept.num_rows + bad
    if not limit.is_passed(bad, rows):
        return None
    counts = {**verdict.counts, **({rejected.UNREADABLE: unread} if unread else {})}
    return (
        f"{target.origin.source}: {bad:,} of {rows:,} rows break a rule ({rejected.told_counts(counts)}), more than "
        f"its reject_limit of {limit.share:.0%}"
    )


def stamped(rows: pa.Table, now: datetime) -> pa.Table:
    """Rows with the moment at which they came into the lake."""
    return rows.append_column(INGESTED_AT, pa.repeat(pa.scalar(now, TIMESTAMP), rows.num_rows))
