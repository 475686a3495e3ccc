"""Draws what people look at before a promotion: precision over recall, calibration, importance. PNG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlops.registry.artifact import TrainedModel
from mlops.training.dataset import Bools
from mlops.training.evaluation import reliability
from mlops.training.judging import Answers

_SIZE: Final = (7.0, 5.0)
_MOST_FEATURES: Final = 20


def draw(folder: Path, model: TrainedModel, label: Bools, answers: Sequence[Answers]) -> None:
    """Write `precision_recall.png`, `calibration.png` and `importance.png`; the candidate's answers come first."""
    from matplotlib.figure import Figure

    def figure(name: str, x: str, y: str) -> tuple[Any, Any]:
        drawn = Figure(figsize=_SIZE, layout="constrained")
        axes = drawn.subplots()
        axes.set(title=name, xlabel=x, ylabel=y)
        return drawn, axes

    drawn, axes = figure("Precision over recall", "recall", "precision")
    for answer in answers:
        _precision_recall(axes, label, answer)
    axes.legend()
    drawn.savefig(folder / "precision_recall.png")
    drawn, axes = figure("Calibration", "probability said", "share that happened")
    _calibration(axes, label, answers[0])
    drawn.savefig(folder / "calibration.png")
    drawn, axes = figure("Importance", "gain", "")
    _importance(axes, model)
    drawn.savefig(folder / "importance.png")


def _precision_recall(axes: Any, label: Bools, answer: Answers) -> None:
    hits = np.cumsum(label[np.argsort(-answer.probability, kind="stable")])
    axes.step(hits / hits[-1], hits / np.arange(1, len(hits) + 1), where="post", label=answer.name)


def _calibration(axes: Any, label: Bools, answer: Answers) -> None:
    rows = reliability(label, answer.probability)
    seen = [row for row in rows if row.happened > 0]
    axes.plot([row.said for row in seen], [row.happened for row in seen], "o-")
    axes.axline((1e-3, 1e-3), slope=1, linestyle="--", color="grey")
    axes.set(xscale="log", yscale="log")


def _importance(axes: Any, model: TrainedModel) -> None:
    gain = model.booster.feature_importance("gain")
    best = np.argsort(gain)[-_MOST_FEATURES:]
    axes.barh([model.features[i] for i in best], gain[best])
