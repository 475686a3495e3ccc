"""What is known of a candidate when it is to be promoted: figures on a later window, and beside another model."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

EVIDENCE_FILE: Final = "evidence.json"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the central 95 % of what resampling gives it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """Rows of one part of the window: of those without the event, the share that would have been declined."""

    rows: int
    false_positive_rate: float
    others_false_positive_rate: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One judgement of one candidate. Times are dates, ISO 8601, UTC."""

    window: tuple[str, str]
    """First and last day of the rows that judged it, all later than what it was trained on."""
    against: str
    """`champion <version>`, or the name of a baseline where there was no champion."""
    quality: Mapping[str, float]
    """train_rows, train_positives, test_rows, test_positives, features_never_known, missing_shift (the largest change
    of a feature's share of unknown values from training to test)."""
    figures: Mapping[str, Estimate]
    """average_precision, roc_auc, brier, log_loss, calibration_error."""
    gain: Mapping[str, Estimate]
    """The same, candidate better than the other by how much: resampled in pairs, above 0 is better for each."""
    calibration: Mapping[str, float]
    """expected_error, and said_to_happened: mean probability over the share that happened."""
    false_positive_rate: float
    segments: Mapping[str, SegmentFigures]
    """By `<dimension>=<part>`."""

    def as_json(self) -> str:
        """What `of_json` reads."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def of_json(cls, text: str) -> Self:
        """Read what `as_json` wrote; ValueError where it is something else."""
        try:
            data: dict[str, Any] = json.loads(text)
            return cls(
                **data
                | {
                    "window": tuple(data["window"]),
                    "figures": _estimates(data["figures"]),
                    "gain": _estimates(data["gain"]),
                    "segments": {name: SegmentFigures(**part) for name, part in data["segments"].items()},
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the evidence of this version's code ({error}); train again") from error


def _estimates(data: Mapping[str, Mapping[str, float]]) -> dict[str, Estimate]:
    return {name: Estimate(**estimate) for name, estimate in data.items()}
