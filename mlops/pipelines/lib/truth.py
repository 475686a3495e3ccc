"""Compares totals of a simulated history's truth, PostgreSQL, gold and the dashboards' mart, to the minor unit."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops.features.event_rows import HISTORY_FILE

Totals = Mapping[tuple[str, str], int]
"""By currency and figure."""

FIGURES: Final = ("payments", "captured_cents", "disputed_cents")
"""What a history's labels know by themselves. Refunds are told by events alone: gold's are held to PostgreSQL's."""
_LABELS: Final = Path("labels/payments.parquet")


def totals_of_truth(folder: Path) -> Totals:
    """What was paid and contested before the history ends, by the simulator's labels; amounts by the events."""
    history = pq.read_table(
        folder / HISTORY_FILE,
        columns=["payment_id", "event_type", "amount_cents", "currency", "provider_created_at"],
    )
    end = pc.max(history.column("provider_created_at"))
    charged = history.filter(pc.starts_with(history.column("event_type"), "payment."))
    amounts = charged.group_by("payment_id").aggregate([("amount_cents", "max"), ("currency", "max")])
    labels = pq.read_table(folder / _LABELS, columns=["payment_id", "succeeded_at", "disputed_at"])
    told = amounts.join(labels, "payment_id", join_type="left outer")
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    _add(found, told, "payments", None)
    _add(found, _before(told, "succeeded_at", end), "captured_cents", "amount_cents_max")
    _add(found, _before(told, "disputed_at", end), "disputed_cents", "amount_cents_max")
    return found


def _before(rows: pa.Table, column: str, end: pa.Scalar) -> pa.Table:
    return rows.filter(pc.fill_null(pc.less_equal(rows.column(column), end), fill_value=False))


def _add(found: defaultdict[tuple[str, str], int], rows: pa.Table, figure: str, summed: str | None) -> None:
    measure = ("payment_id", "count") if summed is None else (summed, "sum")
    for row in rows.group_by("currency_max").aggregate([measure]).to_pylist():
        found[row["currency_max"], figure] += int(row[f"{measure[0]}_{measure[1]}"])


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A figure that two places tell differently."""

    place: str
    currency: str
    figure: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.place}: {self.currency} {self.figure} is {self.found:,}, and not {self.expected:,}"


def disagreements(expected: Totals, places: Mapping[str, Totals]) -> list[Disagreement]:
    """Every figure of a place that is not what is expected; a currency that it lacks counts as 0."""
    return [
        Disagreement(place, *key, expected.get(key, 0), totals.get(key, 0))
        for place, totals in places.items()
        for key in sorted({*expected, *totals})
        if expected.get(key, 0) != totals.get(key, 0)
    ]


def totals_of_rows(rows: list[Any]) -> Totals:
    """Of objects with a currency and the figures."""
    return {(row.currency, figure): getattr(row, figure) for row in rows for figure in FIGURES}
