"""A history's attempts to pay with their features, split in time as labels allow into what teaches and what judges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops.features.catalog import FEATURES
from mlops.features.payment import OWN_FEATURES
from mlops.features.windows import DAY_US
from mlops.training.dataset import Bools, Dataset, HistoryTooShortError, Ints
from mlops.training.history import event_table
from mlops.training.labels import DelayedLabels

WARM_UP_DAYS: Final = 30
"""Days at the start of a history whose own past is not known: features of a platform that has just been connected."""
COLD_SHARE: Final = 0.15
"""The largest share of what is learned that may be of those days: of more, a model learns that everybody is new."""
TEST_DAYS: Final = 60
"""Fewer where a history is short: no more than are left to learn from (`judging_days`)."""
ATTEMPTS: Final = ("payment.succeeded", "payment.failed")


def judging_days(most: int, span_days: int, delay_days: int) -> int:
    """How many days judge: `most`, or half of what a short history has left once its past is known and labels are."""
    return max(1, min(most, (span_days - WARM_UP_DAYS - 2 * delay_days) // 2))


def with_few_cold(cold: Bools) -> Bools:
    """Rows to learn from: all that are not cold, and of those that are, evenly, no more than their share of all."""
    places = np.flatnonzero(cold)
    most = int((len(cold) - len(places)) * COLD_SHARE / (1 - COLD_SHARE))
    kept = ~cold
    if most and len(places):
        kept[places[np.linspace(0, len(places) - 1, min(most, len(places))).astype(np.int64)]] = True
    return kept


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
    segments: Sequence[str]
    """Columns of the table, text or yes and no, by which those that are tested are divided."""

    @classmethod
    def of(cls, table: pa.Table, labels: DelayedLabels, *, asked: Bools, end_us: int, segments: Sequence[str]) -> Self:
        """Of attempts in order of time, each with its label, and whether it is asked about when it is served."""
        features = (*OWN_FEATURES, *(each.name for each in FEATURES))
        values = Dataset.of_columns(
            {name: table.column(name).to_numpy().astype(np.float64) for name in features},
            label=labels.label,
            seconds=labels.occurred_us // 1_000_000,
            card=_groups(table),
            amount_cents=table.column("amount_cents").to_numpy(),
            asked=asked,
        )
        return cls(table, labels, values, end_us, segments)

    def split(self, now_us: int | None = None, test_days: int | None = None, warm_up_days: int = WARM_UP_DAYS) -> Split:
        """Split as somebody at `now_us` (default: the end of the history) would who keeps the last days for judging.

        The first `warm_up_days` only feed the windows; of those that are learned from all the same, few rows are.
        Training stops where labels were not known when the test days began; their own labels are those known now.

        Raises:
            HistoryTooShortError: too little history.
        """
        now_us = self.end_us if now_us is None else now_us
        occurred = self.labels.occurred_us
        first_day_us = int(occurred[0]) // DAY_US * DAY_US
        if test_days is None:
            test_days = judging_days(TEST_DAYS, (now_us - first_day_us) // DAY_US, self.labels.delay_us // DAY_US)
        until_us = now_us - self.labels.delay_us
        from_us = until_us - test_days * DAY_US
        warm_us = first_day_us + warm_up_days * DAY_US
        trained = self.labels.settled(from_us) & (occurred >= warm_us)
        trained[trained] = with_few_cold(occurred[trained] < first_day_us + WARM_UP_DAYS * DAY_US)
        tested = self.values.asked & (occurred >= from_us) & (occurred < until_us)
        if not trained.any() or not tested.any():
            raise HistoryTooShortError(
                f"the history is too short: {WARM_UP_DAYS} days whose own past is not known, "
                f"{self.labels.delay_us // DAY_US} of label delay twice and {test_days} of test leave nothing to train "
                "on; make one of a year"
            )
        return Split(
            _labelled(self.values.where(trained), self.labels.as_of(from_us)[trained]),
            _labelled(self.values.where(tested), self.labels.as_of(now_us)[tested]),
            self._segments(tested),
        )

    def _segments(self, rows: Bools) -> dict[str, list[str]]:
        part = self.table.filter(pa.array(rows))
        return {name: [_part(value) for value in part.column(name).to_pylist()] for name in self.segments}


def attempts_in(folder: Path, cache: Path) -> tuple[pa.Table, int]:
    """A history's attempts in order of time, and when it ends; ValueError where it lacks something."""
    table = event_table(folder, cache)
    end_us = int(pc.max(table.column("arrived_us")).as_py()) // DAY_US * DAY_US + DAY_US
    table = table.filter(pc.is_in(table.column("event_type"), value_set=pa.array(ATTEMPTS)))
    return table.sort_by("occurred_us"), end_us


def _part(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "yes" if value else "no"


def _labelled(rows: Dataset, label: Bools) -> Dataset:
    return replace(rows, label=label)


def _groups(table: pa.Table) -> Ints:
    """Rows that stand or fall together: a customer's; a merchant's guests of one day, since attacks come in bursts."""
    days = (table.column("occurred_us").to_numpy() // DAY_US).tolist()
    columns = (table.column(name).to_pylist() for name in ("merchant_id", "customer_id"))
    names = [(merchant, customer or day) for merchant, customer, day in zip(*columns, days, strict=True)]
    numbers: dict[tuple[str, str | int], int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
