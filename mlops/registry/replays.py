"""What a replay of a candidate against another version found, as it is kept with the candidate; pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Self

REPLAY_FOLDER: Final = "replay"
"""Where a candidate's run keeps the pages, by the version that it was replayed against."""
_TAG: Final = "tidegate.replay."


@dataclass(frozen=True, slots=True)
class Replayed:
    """One replay of a candidate. A second one against the same version takes the place of the first."""

    against: str
    """The version that answered before."""
    span: str
    """First and last arrival of the events, as people read it."""
    decisions: int
    """That models made on both sides: answers of rules compare nothing."""
    flips: int
    """Of these."""
    at_ms: int
    by: str

    @property
    def flip_share(self) -> float:
        """Of the decisions; 1 where there are none."""
        return self.flips / self.decisions if self.decisions else 1.0

    def tag(self) -> tuple[str, str]:
        """Name and value of the candidate's tag."""
        return _TAG + self.against, json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_tags(cls, tags: Mapping[str, str], against: str) -> Self | None:
        """The replay against a version among a candidate's tags; None where there is none that this code reads."""
        try:
            return cls(**json.loads(tags[_TAG + against]))
        except (KeyError, ValueError, TypeError):
            return None
