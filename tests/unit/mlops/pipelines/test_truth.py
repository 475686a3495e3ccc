"""Totals of places are compared figure by figure, and what one place lacks counts."""

from pathlib import Path

import pyarrow.parquet as pq

from mlops.features.event_rows import HISTORY_FILE
from mlops.pipelines.lib.truth import disagreements, totals_of_truth


def test_a_figure_that_differs_is_named_with_its_place_and_both_numbers() -> None:
    gold = {("EUR", "captured_cents"): 100, ("JPY", "payments"): 1}
    found = disagreements(gold, {"PostgreSQL": dict(gold), "the mart": {("EUR", "captured_cents"): 99}})
    assert [str(each) for each in found] == [
        "the mart: EUR captured_cents is 99, and not 100",
        "the mart: JPY payments is 0, and not 1",
    ]


def test_the_truth_of_a_world_is_what_its_labels_say_was_paid(history: Path) -> None:
    truth = totals_of_truth(history)
    events = pq.read_table(history / HISTORY_FILE).to_pylist()
    paid = {row["payment_id"]: row for row in events if row["event_type"] == "payment.succeeded"}
    for currency in {row["currency"] for row in events}:
        captured = sum(row["amount_cents"] for row in paid.values() if row["currency"] == currency)
        assert truth.get((currency, "captured_cents"), 0) == captured
