"""What every ingest needs, says and may refuse."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, Self

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from mlops.pipelines.lib.rejected import LET_THROUGH
from mlops.pipelines.lib.row_rules import Verdict

ROWS_AT_ONCE: Final = 250_000
"""At the most 1.2 GB of memory, with all that is imported; each is a commit of its own, with its own watermark."""

Step = Literal["read", "judged", "rejected", "staged", "committed"]
At = Callable[[Step], None]


class OtherDatabaseError(Exception):
    """The database is not the one that the lake's watermark is of; the message says what to do."""


class TooManyRejectedError(Exception):
    """So many rows of a batch broke rules that it was stopped; the watermark stays before it."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did. Watermarks are None where there was, or is, none yet."""

    source: str
    rows: int
    rejected: int
    watermark_from: str | None
    watermark_to: str | None
    snapshot_id: int | None
    rejected_by_rule: Mapping[str, int]
    commits: int

    @classmethod
    def nothing(cls, source: str, watermark: str | None) -> Self:
        """Of an ingest that found nothing new."""
        return cls(source, 0, 0, watermark, watermark, None, {}, 0)

    def with_batch(self, verdict: Verdict, watermark: str | None, table: Table) -> Self:
        """With one batch more."""
        by_rule = dict(self.rejected_by_rule)
        for rule_id, count in verdict.counts.items():
            by_rule[rule_id] = by_rule.get(rule_id, 0) + count
        snapshot = table.current_snapshot()
        return replace(
            self,
            rows=self.rows + verdict.kept.num_rows,
            rejected=self.rejected + verdict.rejected.num_rows,
            watermark_to=watermark,
            snapshot_id=None if snapshot is None else snapshot.snapshot_id,
            rejected_by_rule=by_rule,
            commits=self.commits + 1,
        )


@dataclass(frozen=True, slots=True)
class Lake:
    """Where to, where from, and when it is."""

    catalog: Catalog
    database_url: str
    now: datetime
    rows_at_once: int = ROWS_AT_ONCE
    # In place of row_rules.yaml's share; 1 lets every batch pass.
    reject_limit: float | None = None

    @property
    def mark(self) -> str:
        """What ends the ids of its batches: whether somebody set the limit for once."""
        return "" if self.reject_limit is None else LET_THROUGH
