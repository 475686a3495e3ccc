"""The record of a change of what serves: who, when, from what to what, and why."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self

Action = Literal["promote", "rollback"]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change of a model's champion. `at_ms` is milliseconds since 1970."""

    action: Action
    model: str
    from_version: str | None
    to_version: str
    by: str
    at_ms: int
    why: str
    metrics: Mapping[str, float]
    """What the version showed when it was judged."""

    def as_line(self) -> str:
        """One line of JSON, without its end."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_line(cls, line: str) -> Self:
        """Read what `as_line` wrote."""
        return cls(**json.loads(line))


def to_go_back_to(records: Sequence[AuditRecord], serving: str) -> str | None:
    """The version that served before the serving one was last promoted; None where there was none.

    Rollbacks are passed over: going back twice goes back two promotions, not back and forth.
    """
    promotions = [each for each in records if each.action == "promote" and each.to_version == serving]
    return max(promotions, key=lambda each: each.at_ms).from_version if promotions else None
