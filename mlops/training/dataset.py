"""The table a model is trained on: features by name, labels, and when and whose each row is."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class HistoryTooShortError(ValueError):
    """There is not enough of the past yet to learn from it, or to judge what was learned."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows in order of time. A label is one that was known when the model is trained: the maker sees to that."""

    features: tuple[str, ...]
    values: Floats
    """A row an event, a column a feature; NaN says not known."""
    label: Bools
    seconds: Ints
    """When each row happened, in seconds since a midnight."""
    card: Ints
    """Whose each row is: rows of one card are not independent of each other."""
    amount_cents: Ints
    asked: Bools
    """Whether a decision would be asked for: not where the card is known as compromised already. The model learns from
    all rows; calibration and thresholds are made for these."""

    @classmethod
    def of_columns(
        cls,
        columns: Mapping[str, Floats],
        *,
        label: Bools,
        seconds: Ints,
        card: Ints,
        amount_cents: Ints,
        asked: Bools | None = None,
    ) -> Self:
        """Return a dataset of named columns, all of one length."""
        everyone = np.ones(len(label), dtype=bool)
        values = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
        return cls(tuple(columns), values, label, seconds, card, amount_cents, everyone if asked is None else asked)

    def __len__(self) -> int:
        return len(self.label)

    def where(self, rows: Bools | Ints) -> Self:
        """Return these rows alone."""
        return type(self)(
            self.features,
            self.values[rows],
            self.label[rows],
            self.seconds[rows],
            self.card[rows],
            self.amount_cents[rows],
            self.asked[rows],
        )

    def matrix(self, features: Sequence[str]) -> Floats:
        """Return the columns of these features, in this order.

        Raises:
            ValueError: a feature is not in the dataset.
        """
        missing = [name for name in features if name not in self.features]
        if missing:
            raise ValueError(f"the dataset lacks the features {', '.join(missing)}; it has {', '.join(self.features)}")
        if tuple(features) == self.features:
            return self.values
        return self.values[:, [self.features.index(name) for name in features]]

    def fingerprint(self) -> str:
        """Return a SHA-256 over names and contents: the same for the same data, on any machine of one byte order."""
        digest = hashlib.sha256("\n".join(self.features).encode())
        for array in (self.values, self.label, self.seconds, self.card, self.amount_cents, self.asked):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
