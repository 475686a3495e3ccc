"""How far a check has found bronze to hold, so that the next one compares only what came behind that."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg

from mlops.pipelines.lib.gate import latest_evaluation
from mlops.pipelines.lib.watermark import Reach

WHOLE_AFTER: Final = timedelta(days=1)
"""All rows are compared again so long after they were last."""
_HELD: Final = "held"
_WHOLE_AT: Final = "all rows compared at"


@dataclass(frozen=True, slots=True)
class Question:
    """What a check has to compare of a state of bronze: what came behind `since`, or all of it."""

    now: Reach
    since: Reach | None
    whole_at: datetime

    def told(self) -> dict[str, Any]:
        """Metadata of the answer, from which the next question is made."""
        return {
            "compared": "all rows" if self.since is None else f"what came behind {self.since.until}",
            _HELD: dg.MetadataValue.json(self.now.told()),
            _WHOLE_AT: self.whole_at.isoformat(),
        }


def question(instance: dg.DagsterInstance, key: dg.AssetCheckKey, now: Reach, at: datetime) -> Question:
    """All rows where the check did not hold the last time, rows were taken out since, or it is time."""
    record = latest_evaluation(instance, key)
    evaluation = record.evaluation if record is not None else None
    told = {} if evaluation is None or not evaluation.passed else evaluation.metadata
    if _HELD in told:
        earlier: Any = told[_HELD].value
        since, whole_at = Reach.from_told(earlier), datetime.fromisoformat(str(told[_WHOLE_AT].value))
        if now.only_grew_since(since) and at - whole_at < WHOLE_AFTER:
            return Question(now, since, whole_at)
    return Question(now, None, at)
