"""Turns a model's margin (log-odds as the booster says them) into a probability that holds; numpy alone to apply."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Method = Literal["platt", "beta", "isotonic"]
_NEWTON_STEPS = 100
_RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """An increasing map from margin to probability.

    - `platt`: logistic of `a * margin + c`; parameters a, c.
    - `beta` (Kull, Silva Filho, Flach 2017): logistic of `a * ln(p) - b * ln(1 - p) + c` for the margin's own
      probability p; parameters a, b, c. It bends the two ends separately.
    - `isotonic`: straight lines between knots (margin, probability), flat beyond the ends. Ties change the ranking.
    """

    method: Method
    parameters: tuple[float, ...]
    knots: tuple[tuple[float, float], ...] = ()

    def probability(self, margin: Floats) -> Floats:
        """Return the calibrated probability of each margin."""
        if self.method == "isotonic":
            x, y = np.asarray(self.knots).T
            return np.asarray(np.interp(margin, x, y))
        return _logistic(_design(self.method, margin) @ np.asarray(self.parameters))

    def as_json(self) -> dict[str, object]:
        """Return what `of_json` takes."""
        return {
            "method": self.method,
            "parameters": list(self.parameters),
            "knots": [list(knot) for knot in self.knots],
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the calibration that `as_json` described."""
        return cls(data["method"], tuple(data["parameters"]), tuple((x, y) for x, y in data["knots"]))


def _logistic(z: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -z)))


def _design(method: Method, margin: Floats) -> Floats:
    """Return the columns a logistic regression is fitted on: each may only push upwards, but for the last, constant."""
    constant = np.ones_like(margin)
    if method == "platt":
        return np.column_stack([margin, constant])
    return np.column_stack([-np.logaddexp(0.0, -margin), np.logaddexp(0.0, margin), constant])


def fit(method: Method, margin: Floats, label: Bools) -> Calibration:
    """Return the calibration under which the labels are likeliest. Both labels must occur."""
    if not label.any() or label.all():
        raise ValueError("calibration needs rows of both labels; widen the calibration window")
    if method == "isotonic":
        return Calibration("isotonic", (), _isotonic_knots(margin, label))
    columns = _design(method, margin)
    used = np.ones(columns.shape[1], dtype=bool)
    weights = np.zeros(len(used))
    while True:
        weights[used] = _logistic_regression(columns[:, used], label)
        # A column that pushes down would turn the ranking over: it is left out and the others are fitted again.
        wrong = used[:-1] & (weights[:-1] < 0)
        if not wrong.any():
            return Calibration(method, tuple(float(w) for w in weights))
        used[:-1] &= ~wrong
        weights[:] = 0.0


def _logistic_regression(columns: Floats, label: Bools) -> Floats:
    """Return the weights of a logistic regression, by Newton's method with a trace of ridge."""
    weights = np.zeros(columns.shape[1])
    for _ in range(_NEWTON_STEPS):
        p = _logistic(columns @ weights)
        gradient = columns.T @ (label - p) - _RIDGE * weights
        curvature = (columns * (p * (1 - p))[:, None]).T @ columns + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights = weights + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:  # noqa: PLR2004
            break
    return weights


def _isotonic_knots(margin: Floats, label: Bools) -> tuple[tuple[float, float], ...]:
    from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(margin, label.astype(np.float64))
    return tuple(zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True))
