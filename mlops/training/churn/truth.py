"""Reads which customers left, and when: what a churn model is learned from.

Of a world the truth is known. Of a history from the lake all that is known is who did not pay again: no event tells
that somebody cancelled.
"""

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

ABSENCE_DAYS: Final = 45
"""Who leaves within the horizon pays neither the next month nor in the two weeks for which a payment is tried again.
As monitoring has it (mlops/monitoring/performance.py)."""
ABSENCES_FILE: Final = Path("labels/absences.parquet")
"""Attempts of known customers: event_id, `absent` where no other payment came for so long, `subscribes`."""

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


@dataclass(frozen=True, slots=True)
class Leaving:
    """Whether the customer of an event leaves; of events that are not `asked` nothing can be learned."""

    asked: Bools
    labels: DelayedLabels
    """Of those that are asked."""
    subscribes: Bools
    """Of those that are asked."""


def leaving(folder: Path, table: pa.Table) -> Leaving:
    """What is known of the customers of a table's events: the truth of a world, else who stayed away.

    Raises:
        ValueError: the history has no labels.
    """
    occurred_us = table.column("occurred_us").to_numpy()
    if (folder / ABSENCES_FILE).is_file():
        return _absences(folder / ABSENCES_FILE, table, occurred_us)
    customers = Customers.of(folder, table)
    here = customers.known & (customers.left_us >= occurred_us)
    return Leaving(here, churn_labels(occurred_us[here], customers.left_us[here]), customers.subscribes[here])


def _absences(file: Path, table: pa.Table, occurred_us: Ints) -> Leaving:
    told = pq.read_table(file, columns=["event_id", "absent", "subscribes"])
    place = {event: row for row, event in enumerate(told.column("event_id").to_pylist())}
    rows = np.array([place.get(event, -1) for event in table.column("event_id").to_pylist()], dtype=np.int64)
    asked = rows >= 0
    absent, subscribes = (
        np.asarray(told.column(name), dtype=np.bool_)[rows[asked]] for name in ("absent", "subscribes")
    )
    return Leaving(asked, absence_labels(occurred_us[asked], absent), subscribes)


def absence_labels(occurred_us: Ints, absent: Bools) -> DelayedLabels:
    """Whether the customer of each event stayed away. That is known when the time is over, and not before."""
    delay_us = ABSENCE_DAYS * DAY_US
    return DelayedLabels(occurred_us, absent, np.where(absent, occurred_us + delay_us, _NEVER), delay_us)
