"""What every ingest needs, says and may refuse."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pyiceberg.catalog import Catalog

ROWS_AT_ONCE: Final = 250_000
"""About 500 MB of memory; each is a commit of its own, with its own watermark."""

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


@dataclass(frozen=True, slots=True)
class Lake:
    """Where to, where from, and when it is."""

    catalog: Catalog
    database_url: str
    now: datetime
    rows_at_once: int = ROWS_AT_ONCE
    # In place of row_rules.yaml's share; 1 lets every batch pass.
    reject_limit: float | None = None
