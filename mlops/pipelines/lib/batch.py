"""Brings one batch of rows into a table of bronze: judged, the bad ones kept apart, each once, with how far it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa
from pyiceberg.table import Table, Transaction

from mlops.pipelines.lib import rejected
from mlops.pipelines.lib.columns import INGESTED_AT, TIMESTAMP, Column
from mlops.pipelines.lib.lake import At, Lake, TooManyRejectedError
from mlops.pipelines.lib.row_rules import RowRules, Verdict, judge, row_rules
from mlops.pipelines.lib.tables import commit, stage_rows
from mlops.pipelines.lib.watermark import REJECTED_BATCH

Properties = Mapping[str, str]


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
    # Which of its ingest it is, from 0. A commit has an ingested_at of its own: by it dbt tells what it has read.
    number: int
    # Rows of bronze.rejected_rows beside those that the rules find.
    unreadable: pa.Table | None = None


def rules_of(source: str, lake: Lake) -> RowRules:
    """The rules of a source, with the limit that the caller set."""
    rules = row_rules(source)
    return rules if lake.reject_limit is None else replace(rules, limit=replace(rules.limit, share=lake.reject_limit))


def bring(target: Target, table: Table, batch: Batch) -> tuple[Table, Verdict]:
    """Two commits: the rejected rows, then the others with what the batch moves to. Killed between, both come again.

    Raises TooManyRejectedError before the first, SupersededError where another writer was faster.
    """
    source, lake = target.origin.source, target.lake
    verdict = judged(target, batch.rows, batch.taken)
    bad = rejected.rejected_rows(target.origin, verdict, batch.batch_id, lake.now)
    if batch.unreadable is not None:
        bad = pa.concat_tables([bad, batch.unreadable])
    target.at("judged")
    rejected.keep(lake.catalog, source, bad, batch.batch_id, table.properties.get(REJECTED_BATCH))
    target.at("rejected")
    properties = {**batch.moves_to, **({REJECTED_BATCH: batch.batch_id} if bad.num_rows else {})}
    kept = stamped(verdict.kept, lake.now + timedelta(microseconds=batch.number))

    def stage(transaction: Transaction) -> None:
        stage_rows(transaction, target.columns, kept, properties)
        target.at("staged")

    table = commit(table, stage, batch.follows, lambda found: batch.moves_to.items() <= found.items())
    target.at("committed")
    return table, verdict


def judged(target: Target, rows: pa.Table, taken: Mapping[str, pa.Array]) -> Verdict:
    """Rows parted by the rules. TooManyRejectedError where a batch passes the limit."""
    verdict = judge(rows, target.rules, target.lake.now, taken)
    bad = verdict.rejected.num_rows
    if target.rules.limit.is_passed(bad, rows.num_rows):
        raise TooManyRejectedError(
            f"{target.origin.source}: {bad:,} of {rows.num_rows:,} rows break a rule "
            f"({rejected.told_counts(verdict.counts)}), more than {target.rules.limit.share:.0%}: nothing of this "
            "batch was ingested, and the watermark stays. Correct the rows, or the rule in "
            "mlops/pipelines/lib/row_rules.yaml; or let the good ones pass with --reject-limit 1"
        )
    return verdict


def stamped(rows: pa.Table, now: datetime) -> pa.Table:
    """Rows with the moment at which they came into the lake."""
    return rows.append_column(INGESTED_AT, pa.repeat(pa.scalar(now, TIMESTAMP), rows.num_rows))
