"""A model's folder as one that answers: probability and reasons from one walk through its trees."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from tidegate.inference.v1.payment_context_pb2 import Reason

from mlops.registry.artifact import ReasonText, TrainedModel
from services.inference.adapters.single_row import SingleRow
from services.inference.predictors.models.port import Rows, Verdict
from services.runtime.grpc_server import error_frames
from services.runtime.telemetry import logger

_MOST_REASONS: Final = 3
_NOTHING_RAISED: Final = Reason(code="model.nothing_raised", description="nothing makes it likelier than it always is")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Paths:
    """What each leaf of each tree adds to the margin, by the feature that was asked on the way to it (Saabas 2014).

    The parts of all trees add up to the margin but for a constant. SHAP values would share it out more fairly, and
    take ten to a hundred times as long as the answer itself.
    """

    # Row of a tree's first leaf in the two arrays below.
    first: "np.ndarray[Any, np.dtype[np.int64]]"
    margin: Rows
    # In four bytes each: they are compared and told, and half as many caches' lines are fetched for an answer.
    parts: "np.ndarray[Any, np.dtype[np.float32]]"

    @classmethod
    def of(cls, model: TrainedModel) -> "Paths":
        """Read the trees once."""
        trees = model.booster.dump_model()["tree_info"]
        sizes = [tree["num_leaves"] for tree in trees]
        first = np.concatenate([[0], np.cumsum(sizes)])
        margin = np.zeros(first[-1])
        parts = np.zeros((first[-1], len(model.features)), dtype=np.float32)
        for tree, start in zip(trees, first, strict=False):
            root = tree["tree_structure"]
            for leaf, value, changes in _leaves(root, _value(root), {}):
                margin[start + leaf] = value
                for feature, change in changes.items():
                    parts[start + leaf, feature] = change
        return cls(first[:-1], margin, parts)


def _leaves(
    node: Mapping[str, Any], value: float, changes: Mapping[int, float]
) -> Iterator[tuple[int, float, Mapping[int, float]]]:
    """Each leaf's number and value, and what each feature changed on the way."""
    if "split_feature" not in node:
        yield node.get("leaf_index", 0), value, changes
        return
    feature = node["split_feature"]
    for child in (node["left_child"], node["right_child"]):
        there = _value(child)
        yield from _leaves(child, there, {**changes, feature: changes.get(feature, 0.0) + there - value})


def _value(node: Mapping[str, Any]) -> float:
    return float(node["internal_value"] if "split_feature" in node else node["leaf_value"])


class LightGbmModel:
    """A ModelPort over one folder. ArtifactError, at once, where the folder is none."""

    def __init__(self, folder: Path, *, name: str, version: str, alias: str) -> None:
        self.name = name
        self.version = version
        self.alias = alias
        self._trained = TrainedModel.load(folder)
        self._paths = Paths.of(self._trained)
        self._single = SingleRow(self._trained.booster)
        self.features: Sequence[str] = self._trained.features
        self.thresholds = self._trained.thresholds
        self.metadata = self._trained.metadata
        self._texts = [
            self._trained.reasons.get(feature, ReasonText(f"feature.{feature}", f"{feature} is {{value}}"))
            for feature in self.features
        ]

    def probabilities(self, rows: Rows) -> Rows:
        """The probability of each row."""
        return self._trained.predict(rows)

    def judge(self, rows: Rows) -> Sequence[Verdict]:
        """One verdict for each row."""
        reached = self._leaves(rows) + self._paths.first
        return [self._verdict(row, at) for row, at in zip(rows.tolist(), reached, strict=True)]

    def failed(self, error: Exception) -> None:
        """Log it, without its text."""
        kind, at = type(error).__name__, error_frames(error)
        _log.error("model.failed", model=self.name, version=self.version, error=kind, at=at)

    def _leaves(self, rows: Rows) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """The leaf that each row reaches in each tree."""
        if len(rows) == 1:
            return self._single.leaves(rows[0]).astype(np.int64)[None, :]
        leaves = self._trained.booster.predict(rows, pred_leaf=True, num_threads=1)
        return np.asarray(leaves, dtype=np.int64).reshape(len(rows), -1)

    def _verdict(self, row: Sequence[float], reached: "np.ndarray[Any, np.dtype[np.int64]]") -> Verdict:
        # Lists of numbers from here on: on few of them, each step of numpy's takes longer than Python's own.
        margin = self._paths.margin.take(reached).sum().item()
        parts = self._paths.parts.take(reached, axis=0).sum(axis=0).tolist()
        return Verdict(_finite(self._trained.calibration.of_one(margin)), self._reasons(row, parts))

    def _reasons(self, row: Sequence[float], parts: Sequence[float]) -> Sequence[Reason]:
        strongest = sorted(range(len(parts)), key=parts.__getitem__, reverse=True)[:_MOST_REASONS]
        told = [self._reason(index, row[index], parts[index]) for index in strongest if parts[index] > 0]
        return told or (_NOTHING_RAISED,)

    def _reason(self, index: int, value: float, contribution: float) -> Reason:
        text = self._texts[index]
        return Reason(code=text.code, description=text.say(value), contribution=contribution)


def _finite(probability: float) -> float:
    if not math.isfinite(probability):
        raise ArithmeticError("the model's answer is no number")
    return probability
