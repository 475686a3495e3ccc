"""Says whether one model is better than others on the same rows: ranking, calibration, and how sure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mlops.training import evaluation
from mlops.training.dataset import Bools, Dataset, Floats, Ints

_ROUNDS: Final = 200
_SEED: Final = 1
_WIDTH: Final = 46
_DECILES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

_Measure = Callable[[Bools, Floats], float]
MEASURES: Final[Mapping[str, tuple[_Measure, float]]] = {
    "AUC": (evaluation.roc_auc, 1.0),
    "log loss": (evaluation.log_loss, -1.0),
    "Brier": (evaluation.brier, -1.0),
    "ECE": (evaluation.expected_calibration_error, -1.0),
}
"""Ranking, and three of calibration; each with the sign that makes more of it better."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said of every row."""

    name: str
    probability: Floats


def gain(measure: str, rows: Dataset, own: Said, other: Said) -> evaluation.Interval:
    """By how much the first is better, above 0 for each measure, with whole customers resampled."""
    of, sign = MEASURES[measure]
    label = rows.label

    def better(chosen: Ints, _copies: Ints) -> float:
        return sign * (of(label[chosen], own.probability[chosen]) - of(label[chosen], other.probability[chosen]))

    return evaluation.bootstrap(better, rows.card, rounds=_ROUNDS, seed=_SEED)


def lost(rows: Dataset, own: Said, other: Said) -> list[str]:
    """The measures in which the first is not better."""
    return [
        name
        for name, (of, sign) in MEASURES.items()
        if not sign * (of(rows.label, own.probability) - of(rows.label, other.probability)) > 0
    ]


def lines(rows: Dataset, own: Said, others: Sequence[Said]) -> Iterator[str]:
    """Yield each model's figures, then by how much the first one is better than the second."""
    yield f"{'':{_WIDTH}}" + "".join(f"{name:>10}" for name in MEASURES) + f"{'said':>10}"
    for said in (own, *others):
        figures = "".join(f"{of(rows.label, said.probability):10.4f}" for of, _ in MEASURES.values())
        yield f"{said.name:{_WIDTH}}{figures}{said.probability.mean():10.4f}"
    yield f"{'happened':{_WIDTH}}{'':{10 * len(MEASURES)}}{rows.label.mean():10.4f}"
    yield f"better than {others[0].name} by (95 % of resampled customers)"
    for name in MEASURES:
        found = gain(name, rows, own, others[0])
        yield f"  {name:9} {found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def calibration_lines(label: Bools, said: Said) -> Iterator[str]:
    """Yield what was said and what happened, by tenths of probability."""
    yield f"calibration of {said.name}"
    yield f"{'probability':>13} {'customers':>10} {'said':>8} {'happened':>9}"
    for row in evaluation.reliability(label, said.probability, _DECILES):
        yield f"{row.low:6.1f}-{row.high:<6.1f} {row.rows:10,} {row.said:8.4f} {row.happened:9.4f}"
