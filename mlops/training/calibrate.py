"""Finds the calibration under which what happened is likeliest."""

import numpy as np

from mlops.registry.calibration import Calibration, Floats, Method, logistic, slants
from mlops.training.dataset import Bools, HistoryTooShortError

_NEWTON_STEPS = 100
_LONGEST_STEP = 2.0
_SMALLEST_STEP = 1e-10
_RIDGE = 1e-6


def fit(method: Method, margin: Floats, label: Bools) -> Calibration:
    """Return the calibration under which the labels are likeliest. Both labels must occur."""
    if not label.any() or label.all():
        raise HistoryTooShortError("calibration needs rows of both labels; widen the calibration window")
    if method == "isotonic":
        return Calibration("isotonic", (), _isotonic_knots(margin, label))
    columns = np.column_stack([*slants(method, margin), np.ones_like(margin)])
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
        p = logistic(columns @ weights)
        gradient = columns.T @ (label - p) - _RIDGE * weights
        curvature = (columns * (p * (1 - p))[:, None]).T @ columns + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights = weights + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    return weights


def _isotonic_knots(margin: Floats, label: Bools) -> tuple[tuple[float, float], ...]:
    from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(margin, label.astype(np.float64))
    return tuple(zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True))
