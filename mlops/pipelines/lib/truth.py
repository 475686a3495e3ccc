"""Compares totals of a simulated history's truth, PostgreSQL, gold and the dashboards, to the minor unit."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog

Totals = Mapping[tuple[str, str], int]
"""By currency and figure."""

FIGURES: Final = ("payments", "captured_cents", "refunded_cents", "disputed_cents")
_LABELS: Final = Path("labels/payments.parquet")
_ORIGIN: Final = "world.json"
_PAYMENTS: Final = "gold.fct_payments"
# When each figure's money moved, and how much did, as the labels call it.
_MOMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "captured_cents": ("succeeded_at", "amount_cents"),
    "refunded_cents": ("refunded_at", "refunded_cents"),
    "disputed_cents": ("disputed_at", "amount_cents"),
}
_TOLD: Final = ("payment_id", "currency", "created_at", *dict.fromkeys(sum(_MOMENTS.values(), ())))


class TruthError(Exception):
    """A history does not tell its truth; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a world's labels say had happened when it ended: money by currency, and of which payments."""

    totals: Totals
    payment_ids: Sequence[str]


def truth_of(folder: Path) -> Truth:
    """By the simulator's labels alone: no event is read. TruthError where they are of another version."""
    file = folder / _LABELS
    if missing := sorted(set(_TOLD) - set(pq.read_schema(file).names)):
        raise TruthError(f"{file} lacks {', '.join(missing)}: it is of another version; take the history's folder away")
    labels = pq.read_table(file, columns=list(_TOLD))
    end = pa.scalar(_end_of(folder), type=labels.schema.field("created_at").type)
    told = _before(labels, "created_at", end)
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    _add(found, told, "payments", None)
    for figure, (moment, amount) in _MOMENTS.items():
        _add(found, _before(told, moment, end), figure, amount)
    return Truth(found, told.column("payment_id").to_pylist())


def totals_of_truth(folder: Path) -> Totals:
    """Its totals alone."""
    return truth_of(folder).totals


def _end_of(folder: Path) -> datetime:
    """What happens from this moment on no event of the history tells."""
    plan = json.loads((folder / _ORIGIN).read_text(encoding="utf-8"))
    last_day = date.fromisoformat(plan["first_day"]) + timedelta(days=plan["days"])
    return datetime.combine(last_day, time(), UTC)


def totals_in_gold(catalog: Catalog, payment_ids: Sequence[str]) -> Totals:
    """What gold has of some payments."""
    money = [figure for figure in FIGURES if figure != "payments"]
    rows = catalog.load_table(_PAYMENTS).scan(selected_fields=("payment_id", "currency", *money)).to_arrow()
    ids = rows.column("payment_id")
    kept = rows.filter(pc.is_in(ids, value_set=pa.array(payment_ids, ids.type)))
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    _add(found, kept, "payments", None)
    for figure in money:
        _add(found, kept, figure, figure)
    return found


def _before(rows: pa.Table, column: str, end: pa.Scalar) -> pa.Table:
    return rows.filter(pc.fill_null(pc.less(rows.column(column), end), fill_value=False))


def _add(found: defaultdict[tuple[str, str], int], rows: pa.Table, figure: str, summed: str | None) -> None:
    measure = ("payment_id", "count") if summed is None else (summed, "sum")
    for row in rows.group_by("currency").aggregate([measure]).to_pylist():
        found[row["currency"], figure] += int(row[f"{measure[0]}_{measure[1]}"] or 0)


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


def totals_of_rows(rows: Sequence[Any]) -> Totals:
    """Of objects with a currency and the figures."""
    return {(row.currency, figure): getattr(row, figure) for row in rows for figure in FIGURES}
