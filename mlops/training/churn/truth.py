"""Reads which customers of a world left, and when: what a churn model is learned from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlops.features.windows import DAY_US
from mlops.training.dataset import Bools, Ints
from mlops.training.labels import DelayedLabels

HORIZON_DAYS: Final = 30
"""Leaving within so many days of a payment counts. It is what serving is asked for where nobody says otherwise."""

_LABELS: Final = Path("labels/customers.parquet")
_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Customers:
    """For each event, the truth about its customer. Where that is not known, nothing can be learned of the event."""

    known: Bools
    left_us: Ints
    """When the customer left: cancelled, was given up unpaid, or, of a store, came for the last time; or never."""
    subscribes: Bools

    @classmethod
    def of(cls, folder: Path, table: pa.Table) -> Self:
        """The truth about the customers of a table's events.

        Raises:
            ValueError: the history has no labels.
        """
        file = folder / _LABELS
        if not file.is_file():
            raise ValueError(f"{file} does not exist: a churn model is learned from customers of whom it is known")
        truth = pq.read_table(file, columns=["merchant_id", "customer_id", "subscribes", "churned_at"])
        keys = zip(truth.column("merchant_id").to_pylist(), truth.column("customer_id").to_pylist(), strict=True)
        place = {key: row for row, key in enumerate(keys)}
        asked = zip(table.column("merchant_id").to_pylist(), table.column("customer_id").to_pylist(), strict=True)
        rows = np.array([place.get(key, -1) for key in asked], dtype=np.int64)
        left_us = truth.column("churned_at").cast(pa.int64()).fill_null(_NEVER).to_numpy()
        return cls(rows >= 0, left_us[rows], np.asarray(truth.column("subscribes"), dtype=np.bool_)[rows])


def churn_labels(occurred_us: Ints, left_us: Ints) -> DelayedLabels:
    """Whether the customer of each event leaves within the horizon. A leaving is known when it happens.

    That nobody left is known when the horizon is over; of a leaving nothing is concluded before either.
    """
    label = left_us <= occurred_us + HORIZON_DAYS * DAY_US
    return DelayedLabels(occurred_us, label, np.where(label, left_us, _NEVER), HORIZON_DAYS * DAY_US)
