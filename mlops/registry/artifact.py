"""A trained model as a folder that serves; LightGBM and numpy are enough to load it and to answer.

The folder holds
- `booster.txt`: LightGBM's own text; its raw score is a margin in log-odds.
- `features.json`: names of a row's values, in order: the catalog's (`mlops/features/catalog.py`) and those that a
  payment shows by itself (`mlops/features/payment.py`). What is not known is NaN.
- `calibration.json`: the map from margin to probability.
- `thresholds.json`: calibrated probabilities from which a decision is the cheapest (fraud: `review`, `decline`).
- `reasons.json`: by feature a stable code, and words with `{value}`, `{percent}` or `{yes}`.
- `metadata.json`, written last: format, digests of the files above, recipe, data fingerprint, code version, figures.

Other files may lie beside them (`MLmodel`, which tells MLflow the signature); nothing that serves reads those.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import lightgbm
import numpy as np
import numpy.typing as npt

from mlops.registry.calibration import Calibration

Floats = npt.NDArray[np.float64]

FORMAT: Final = 1
_BOOSTER: Final = "booster.txt"
_CALIBRATION: Final = "calibration.json"
_FEATURES: Final = "features.json"
_THRESHOLDS: Final = "thresholds.json"
_REASONS: Final = "reasons.json"
_METADATA: Final = "metadata.json"
# From here on people read no decimals.
_WHOLE_FROM: Final = 100.0
_CHECKED: Final = (_BOOSTER, _CALIBRATION, _FEATURES, _THRESHOLDS, _REASONS)


class ArtifactError(Exception):
    """The folder is not a model that can be served; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class ReasonText:
    """How a feature speaks: a stable code, and words with what the feature was."""

    code: str
    words: str

    def say(self, value: float) -> str:
        """Return the words for this value, which they have as `{value}`, `{percent}` or `{yes}`; "unknown" for NaN."""
        if math.isnan(value):
            return self.words.format(value="unknown", percent="unknown", yes="unknown")
        return self.words.format(value=_number(value), percent=f"{value:.0%}", yes="yes" if value else "no")


def _number(value: float) -> str:
    """As many digits as people read."""
    if abs(value) >= _WHOLE_FROM or value.is_integer():
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Reason:
    """A feature's part in an answer, in log-odds: above 0 it raised the probability."""

    code: str
    words: str
    feature: str
    value: float
    contribution: float


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A booster with what makes its margin an answer. Rows are arrays of `features`' values, in that order."""

    booster: lightgbm.Booster
    features: tuple[str, ...]
    calibration: Calibration
    thresholds: Mapping[str, float]
    reasons: Mapping[str, ReasonText]
    metadata: Mapping[str, Any]

    def margin(self, rows: Floats) -> Floats:
        """Return the booster's log-odds of each row, before calibration."""
        return np.asarray(self.booster.predict(rows, raw_score=True, num_threads=1), dtype=np.float64)

    def predict(self, rows: Floats) -> Floats:
        """Return the calibrated probability of each row."""
        return self.calibration.probability(self.margin(rows))

    def explain(self, rows: Floats, top: int = 3) -> list[list[Reason]]:
        """Return for each row the features that raised its margin most (SHAP values of the trees), largest first."""
        parts = np.asarray(self.booster.predict(rows, pred_contrib=True, num_threads=1))[:, :-1]
        order = np.argsort(-parts, axis=1, kind="stable")[:, :top]
        return [
            [self._reason(int(i), row[i], part[i]) for i in best if part[i] > 0]
            for row, part, best in zip(rows, parts, order, strict=True)
        ]

    def _reason(self, index: int, value: float, contribution: float) -> Reason:
        feature = self.features[index]
        text = self.reasons.get(feature, ReasonText(f"feature.{feature}", f"{feature} is {{value}}"))
        return Reason(text.code, text.say(float(value)), feature, float(value), float(contribution))

    def save(self, folder: Path) -> None:
        """Write the model; `metadata.json`, with the other files' digests, comes last."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _BOOSTER).write_text(self.booster.model_to_string(), encoding="utf-8")
        _write(folder / _CALIBRATION, self.calibration.as_json())
        _write(folder / _FEATURES, list(self.features))
        _write(folder / _THRESHOLDS, dict(self.thresholds))
        _write(folder / _REASONS, {name: [text.code, text.words] for name, text in self.reasons.items()})
        files = {name: _digest(folder / name) for name in _CHECKED}
        _write(folder / _METADATA, dict(self.metadata) | {"format": FORMAT, "files": files})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model in this folder.

        Raises:
            ArtifactError: a file is missing, damaged, or of another format; nothing of it must be served.
        """
        metadata = _read(folder / _METADATA)
        if metadata.get("format") != FORMAT:
            raise ArtifactError(f"{folder}: format {metadata.get('format')!r}, this code reads {FORMAT}; retrain")
        files = metadata.get("files", {})
        for name in _CHECKED:
            if not (folder / name).is_file() or _digest(folder / name) != files.get(name):
                raise ArtifactError(f"{folder / name}: missing or not as it was written; fetch the artifact again")
        try:
            booster = lightgbm.Booster(model_str=(folder / _BOOSTER).read_text(encoding="utf-8"))
        except lightgbm.basic.LightGBMError as error:
            raise ArtifactError(f"{folder / _BOOSTER}: {error}") from error
        features = tuple(_read(folder / _FEATURES))
        if booster.num_feature() != len(features):
            raise ArtifactError(f"{folder}: the booster takes {booster.num_feature()} features, {len(features)} named")
        return cls(
            booster,
            features,
            Calibration.of_json(_read(folder / _CALIBRATION)),
            _read(folder / _THRESHOLDS),
            {name: ReasonText(*text) for name, text in _read(folder / _REASONS).items()},
            metadata,
        )


def artifact_digest(folder: Path) -> str:
    """Return a SHA-256 of what answers in a saved model: the same for the same model, whichever code made it when."""
    metadata = _read(folder / _METADATA)
    answers: dict[str, Any] = dict(metadata["files"])
    # What a retry model's probabilities are weighed by, and of how many days a churn model's are.
    answers |= {name: metadata[name] for name in ("policy", "horizon_days") if name in metadata}
    return hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: {error}; fetch the artifact again") from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
