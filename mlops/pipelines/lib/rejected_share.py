"""Tells what share of a day's rows was rejected: small batches, of which none is judged by a share, add up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from mlops.pipelines.lib.rejected import LET_THROUGH
from mlops.pipelines.lib.row_rules import Limit
from mlops.pipelines.lib.sources import NAMESPACE, REJECTED
from mlops.pipelines.lib.trino_connection import connected, quoted
from mlops.pipelines.settings import LakeSettings

DAY: Final = timedelta(days=1)
_QUERY: Final = """
    SELECT rule_id, count(*) FROM {rejected}
    WHERE source_table = {source} AND rejected_at > {since} AND batch_id NOT LIKE {let_through} GROUP BY rule_id
    UNION ALL SELECT NULL, count(*) FROM {table} WHERE ingested_at > {since}
"""


@dataclass(frozen=True, slots=True)
class Share:
    """What came of a source within a day."""

    ingested: int
    rejected: dict[str, int]

    @property
    def bad(self) -> int:
        """How many rows were rejected."""
        return sum(self.rejected.values())

    @property
    def share(self) -> float:
        """Of all that came; 0 where nothing did."""
        return self.bad / (self.bad + self.ingested) if self.bad else 0.0

    def is_over(self, limit: Limit) -> bool:
        """Whether it is worth telling of."""
        return self.share > limit.share

    def stops(self, limit: Limit) -> bool:
        """Whether nothing may be made of it: enough rows to tell that something is wrong besides them."""
        return limit.is_passed_by_day(self.bad, self.bad + self.ingested)


def share_of_day(source: str, settings: LakeSettings, now: datetime) -> Share:
    """Of the day before `now`, without what somebody has let through. LakeUnavailableError."""
    query = _QUERY.format(
        rejected=REJECTED,
        source=quoted(source),
        let_through=quoted(f"%{LET_THROUGH}"),
        table=f"{NAMESPACE}.{source}",
        since=f"timestamp '{(now - DAY).astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'",
    )
    with connected(settings, "rejected rows are counted by Trino") as ask:
        found = {rule_id: int(count) for rule_id, count in ask(query)}
    return Share(found.pop(None, 0), found)
