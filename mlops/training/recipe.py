"""How a classifier is made of a dataset: train, calibrate on later days, set thresholds from costs; any features."""

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import lightgbm
import numpy as np

from mlops.registry.artifact import ReasonText, TrainedModel
from mlops.registry.calibration import Method
from mlops.training import evaluation
from mlops.training.calibrate import fit
from mlops.training.dataset import Bools, Dataset, HistoryTooShortError, Ints

_DAY = 86_400


class Stakes(Protocol):
    """What decisions cost: a dataclass of numbers, so that it can be written down with the model."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def thresholds(self) -> dict[str, float]:
        """Return the calibrated probabilities from which each decision is the cheapest."""
        ...


@dataclass(frozen=True, slots=True)
class Costs:
    """What a decision costs, in cents. `missed` and `wrongly_declined` are on top of nothing: whole costs per event."""

    review: int
    wrongly_declined: int
    missed: int

    def thresholds(self) -> dict[str, float]:
        """Return the calibrated probabilities from which reviewing, and declining, is the cheapest decision.

        At probability p, letting through costs `p * missed`, reviewing `review`, declining
        `(1 - p) * wrongly_declined`.
        """
        direct = self.wrongly_declined / (self.wrongly_declined + self.missed)
        review, decline = self.review / self.missed, 1 - self.review / self.wrongly_declined
        if review >= decline:  # a review is too dear to be the cheapest anywhere
            return {"review": direct, "decline": direct}
        return {"review": review, "decline": decline}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what comes out of a dataset. Two trainings of one recipe and dataset are the same."""

    name: str
    features: tuple[str, ...]
    rounds: int
    params: Mapping[str, float | int | str]
    costs: Stakes
    increasing: frozenset[str] = frozenset()
    """Features in which the probability may never fall."""
    decreasing: frozenset[str] = frozenset()
    """Features in which it may never rise."""
    keep_negatives: float = 1.0
    """Share of rows without the event that trees are grown on; calibration takes its effect back."""
    span_days: int | None = None
    """Train on this many days at the end; None takes all."""
    calibration: Method = "beta"
    calibration_days: int = 21
    """The last days, on which a model of the days before is asked, to learn how its margins turn out."""
    seed: int = 1
    reasons: Mapping[str, ReasonText] = field(default_factory=lambda: MappingProxyType({}))

    def described(self) -> dict[str, Any]:
        """Return what goes into metadata: all but features and reasons, which have files of their own."""
        return {
            "rounds": self.rounds,
            "params": dict(self.params),
            "costs": asdict(self.costs),
            "increasing": sorted(self.increasing),
            "decreasing": sorted(self.decreasing),
            "keep_negatives": self.keep_negatives,
            "span_days": self.span_days,
            "calibration": self.calibration,
            "calibration_days": self.calibration_days,
            "seed": self.seed,
        }


def of_short_history(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe, with no more days to calibrate on than are left to grow trees on."""
    days = (int(dataset.seconds.max()) - int(dataset.seconds.min())) // _DAY + 1
    return replace(recipe, calibration_days=min(recipe.calibration_days, days // 2))


def train(dataset: Dataset, recipe: Recipe, *, code_version: str) -> TrainedModel:
    """Return a model of the whole dataset, calibrated on how its like did on the dataset's last days.

    Raises:
        ValueError: features are missing.
        HistoryTooShortError: there are too few days or labels to calibrate on.
    """
    known = _last_days(dataset, recipe.span_days)
    cut = int(known.seconds.max()) // _DAY * _DAY + _DAY - recipe.calibration_days * _DAY
    late = known.seconds >= cut
    if late.all():
        raise HistoryTooShortError(
            f"{recipe.calibration_days} days of calibration leave nothing to train on; add history"
        )
    rehearsal = _grow(known.where(~late), recipe)
    held = known.where(late & known.asked)
    margin = np.asarray(
        rehearsal.predict(held.matrix(recipe.features), raw_score=True, num_threads=1), dtype=np.float64
    )
    fitted = fit(recipe.calibration, margin, held.label)
    return TrainedModel(
        booster=_grow(known, recipe),
        features=recipe.features,
        calibration=fitted,
        thresholds=recipe.costs.thresholds(),
        reasons=recipe.reasons,
        metadata={
            "name": recipe.name,
            "recipe": recipe.described(),
            "data": {
                "fingerprint": known.fingerprint(),
                "rows": len(known),
                "positives": int(known.label.sum()),
                "first_second": int(known.seconds.min()),
                "last_second": int(known.seconds.max()),
            },
            "code_version": code_version,
            "lightgbm": lightgbm.__version__,
            "metrics": {"calibration_days": figures(held.label, fitted.probability(margin))},
        },
    )


def figures(label: Bools, probability: evaluation.Floats) -> dict[str, float]:
    """Return the figures every classifier is judged by; those of `calibration_days` saw the calibration's labels."""
    return {
        "rows": float(len(label)),
        "rate": float(label.mean()),
        "average_precision": evaluation.average_precision(label, probability),
        "roc_auc": evaluation.roc_auc(label, probability),
        "brier": evaluation.brier(label, probability),
        "log_loss": evaluation.log_loss(label, probability),
        "ece": evaluation.expected_calibration_error(label, probability),
    }


def _last_days(dataset: Dataset, span_days: int | None) -> Dataset:
    if span_days is None:
        return dataset
    end = int(dataset.seconds.max()) // _DAY * _DAY + _DAY
    return dataset.where(dataset.seconds >= end - span_days * _DAY)


def _grow(dataset: Dataset, recipe: Recipe) -> lightgbm.Booster:
    """Return a booster of these rows. One thread: sums come in one order, and a shared machine is not fought over."""
    rows = _kept(dataset.label, recipe)
    table = lightgbm.Dataset(
        dataset.matrix(recipe.features)[rows],
        dataset.label[rows].astype(np.float64),
        feature_name=list(recipe.features),
    )
    settled = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": recipe.seed,
        "monotone_constraints": [
            int(name in recipe.increasing) - int(name in recipe.decreasing) for name in recipe.features
        ],
    }
    return lightgbm.train({**recipe.params, **settled}, table, num_boost_round=recipe.rounds)


def _kept(label: Bools, recipe: Recipe) -> Ints:
    """Return the rows to grow trees on: every event, and a seeded share of the rest."""
    if recipe.keep_negatives >= 1:
        return np.arange(len(label))
    drawn = np.random.default_rng(recipe.seed).random(len(label)) < recipe.keep_negatives
    return np.flatnonzero(label | drawn)
