"""Makes the evidence for a promotion: a candidate beside another model on the same later rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from mlops.registry.evidence import Estimate, Evidence, SegmentFigures
from mlops.training import evaluation
from mlops.training.dataset import Bools, Dataset, Floats, HistoryTooShortError, Ints

_ROUNDS: Final = 200
_SEED: Final = 1
_MEASURES: Final[Mapping[str, tuple[Callable[[Bools, Floats], float], float]]] = {
    "average_precision": (evaluation.average_precision, 1.0),
    "roc_auc": (evaluation.roc_auc, 1.0),
    "brier": (evaluation.brier, -1.0),
    "log_loss": (evaluation.log_loss, -1.0),
    "calibration_error": (evaluation.expected_calibration_error, -1.0),
}
"""Each with the sign that makes more of it better."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said of the tested rows, and the probability from which it would decline."""

    name: str
    probability: Floats
    declines_from: float

    @property
    def declined(self) -> Bools:
        """The rows it would decline."""
        return self.probability >= self.declines_from


def judge(
    trained: Dataset,
    tested: Dataset,
    candidate: Answers,
    other: Answers,
    *,
    features: Sequence[str],
    segments: Mapping[str, Sequence[str]],
) -> Evidence:
    """Return the evidence; `segments` names for each way to divide the tested rows the part of each.

    Raises:
        HistoryTooShortError: the tested rows have one label alone.
    """
    label, said = tested.label, candidate.probability
    if label.all() or not label.any():
        raise HistoryTooShortError(f"all of the {len(label):,} rows that judge are of one kind; wait for more days")
    return Evidence(
        window=(_day(tested.seconds.min()), _day(tested.seconds.max())),
        against=other.name,
        quality=_quality(trained, tested, features),
        figures={name: _figure(name, tested, candidate, None) for name in _MEASURES},
        gain={name: _figure(name, tested, candidate, other) for name in _MEASURES},
        calibration={
            "expected_error": evaluation.expected_calibration_error(label, said),
            "said_to_happened": float(said.mean() / label.mean()),
        },
        false_positive_rate=_share(candidate.declined, ~label),
        segments=_segments(label, candidate.declined, other.declined, segments),
    )


def _figure(name: str, tested: Dataset, candidate: Answers, other: Answers | None) -> Estimate:
    """The measure, or with another model by how much the candidate is better, with groups resampled."""
    measure, sign = _MEASURES[name]
    label = tested.label

    def of(rows: Ints, _copies: Ints) -> float:
        own = measure(label[rows], candidate.probability[rows])
        return own if other is None else sign * (own - measure(label[rows], other.probability[rows]))

    found = evaluation.bootstrap(of, tested.card, rounds=_ROUNDS, seed=_SEED)
    return Estimate(found.value, found.low, found.high)


def _quality(trained: Dataset, tested: Dataset, features: Sequence[str]) -> dict[str, float]:
    unknown, later = (np.isnan(rows.matrix(features)).mean(axis=0) for rows in (trained, tested))
    return {
        "train_rows": len(trained),
        "train_positives": int(trained.label.sum()),
        "test_rows": len(tested),
        "test_positives": int(tested.label.sum()),
        "features_never_known": int((unknown == 1).sum()),
        "missing_shift": float(np.abs(later - unknown).max()),
    }


def _segments(
    label: Bools, declined: Bools, others: Bools, segments: Mapping[str, Sequence[str]]
) -> dict[str, SegmentFigures]:
    found = {}
    for dimension, parts in segments.items():
        column = np.asarray(parts)
        for part in np.unique(column):
            honest = (column == part) & ~label
            rows = int((column == part).sum())
            found[f"{dimension}={part}"] = SegmentFigures(rows, _share(declined, honest), _share(others, honest))
    return found


def _share(flags: Bools, among: Bools) -> float:
    return float(flags[among].mean()) if among.any() else 0.0


def _day(second: int) -> str:
    return datetime.fromtimestamp(int(second), UTC).date().isoformat()
