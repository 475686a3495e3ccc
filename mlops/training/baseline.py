"""A plain logistic regression to win against: what a table of rules could do at best with the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mlops.training.dataset import Dataset, Floats

_ITERATIONS = 500


@dataclass(frozen=True, slots=True)
class LogisticRegression:
    """Scaled columns, each with a column beside it that says where it is not known."""

    features: tuple[str, ...]
    fitted: Any

    @classmethod
    def of(cls, dataset: Dataset, features: Sequence[str]) -> Self:
        """Fit on all rows of a dataset."""
        from sklearn.linear_model import LogisticRegression as Regression  # type: ignore[import-untyped]
        from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
        from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

        fitted = make_pipeline(StandardScaler(), Regression(max_iter=_ITERATIONS))
        fitted.fit(_columns(dataset.matrix(features)), dataset.label)
        return cls(tuple(features), fitted)

    def predict(self, dataset: Dataset) -> Floats:
        """Return the probability of each row."""
        return np.asarray(self.fitted.predict_proba(_columns(dataset.matrix(self.features)))[:, 1])


def _columns(values: Floats) -> Floats:
    unknown = np.isnan(values)
    return np.hstack([np.where(unknown, 0.0, values), unknown])
