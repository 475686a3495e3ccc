"""The rows of a history that the platform's fraud model learns from and is judged on, split in time as labels allow."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops.features.catalog import FEATURES
from mlops.features.payment import OWN_FEATURES
from mlops.training.dataset import Bools, Dataset, Ints
from mlops.training.fraud.truth import DAY_US, fraud_labels
from mlops.training.history import event_table
from mlops.training.labels import DelayedLabels

WARM_UP_DAYS: Final = 30
"""Days at the start of a history that only feed the windows: features of a platform that has just been connected."""
TEST_DAYS: Final = 60
ATTEMPTS: Final = ("payment.succeeded", "payment.failed")
ASKED: Final = "payment.succeeded"
"""What the workflow asks about fraud (`workflows/payment_event/questions.py`). Failed attempts are learned from too."""

_SEGMENTS: Final = ("currency", "merchant_id")


@dataclass(frozen=True, slots=True)
class Split:
    """What a model may be trained on at a moment, and the later rows that judge it with labels known at the end."""

    trained: Dataset
    tested: Dataset
    segments: dict[str, list[str]]
    """For each way to divide the tested rows, the part each row belongs to."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """A history's attempts to pay with their features and with labels that become known later."""

    table: pa.Table
    labels: DelayedLabels
    values: Dataset
    """Labels in it are the final ones: only `split` says what was known when."""
    end_us: int

    @classmethod
    def of(cls, folder: Path, cache: Path) -> Self:
        """Read a history's folder; ValueError where it lacks something."""
        table = event_table(folder, cache)
        end_us = int(pc.max(table.column("arrived_us")).as_py()) // DAY_US * DAY_US + DAY_US
        table = table.filter(pc.is_in(table.column("event_type"), value_set=pa.array(ATTEMPTS)))
        table = table.sort_by("occurred_us")
        occurred_us = table.column("occurred_us").to_numpy()
        labels = fraud_labels(folder, table.column("payment_id"), occurred_us)
        features = (*OWN_FEATURES, *(each.name for each in FEATURES))
        values = Dataset.of_columns(
            {name: table.column(name).to_numpy().astype(np.float64) for name in features},
            label=labels.label,
            seconds=occurred_us // 1_000_000,
            card=_groups(table),
            amount_cents=table.column("amount_cents").to_numpy(),
            asked=pc.equal(table.column("event_type"), ASKED).to_numpy(zero_copy_only=False),
        )
        return cls(table, labels, values, end_us)

    def split(self, now_us: int | None = None, test_days: int = TEST_DAYS) -> Split:
        """Split as somebody at `now_us` (default: the end of the history) would who keeps the last days for judging.

        Training stops where labels were not known when the test days began; their own labels are those known now.

        Raises:
            ValueError: too little history.
        """
        now_us = self.end_us if now_us is None else now_us
        until_us = now_us - self.labels.delay_us
        from_us = until_us - test_days * DAY_US
        occurred = self.labels.occurred_us
        warm_us = int(occurred[0]) // DAY_US * DAY_US + WARM_UP_DAYS * DAY_US
        trained = self.labels.settled(from_us) & (occurred >= warm_us)
        tested = self.values.asked & (occurred >= from_us) & (occurred < until_us)
        if not trained.any() or not tested.any():
            raise ValueError(
                f"the history is too short: {WARM_UP_DAYS} days to warm up, {self.labels.delay_us // DAY_US} of label "
                f"delay twice and {test_days} of test leave nothing to train on; make one of a year"
            )
        return Split(
            _labelled(self.values.where(trained), self.labels.as_of(from_us)[trained]),
            _labelled(self.values.where(tested), self.labels.as_of(now_us)[tested]),
            self._segments(tested),
        )

    def _segments(self, rows: Bools) -> dict[str, list[str]]:
        part = self.table.filter(pa.array(rows))
        divided = {name: part.column(name).to_pylist() for name in _SEGMENTS}
        recurring = part.column("recurring").to_pylist()
        return divided | {"recurring": ["yes" if value else "no" for value in recurring]}


def _labelled(rows: Dataset, label: Bools) -> Dataset:
    return replace(rows, label=label)


def _groups(table: pa.Table) -> Ints:
    """Rows that stand or fall together: a customer's; a merchant's guests of one day, since attacks come in bursts."""
    days = (table.column("occurred_us").to_numpy() // DAY_US).tolist()
    columns = (table.column(name).to_pylist() for name in ("merchant_id", "customer_id"))
    names = [(merchant, customer or day) for merchant, customer, day in zip(*columns, days, strict=True)]
    numbers: dict[tuple[str, str | int], int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
