"""Totals of places are compared figure by figure, what one place lacks counts, and the truth is what events tell of."""

from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mlops.features.event_rows import HISTORY_FILE
from mlops.pipelines.lib.truth import TruthError, disagreements, truth_of


def test_a_figure_that_differs_is_named_with_its_place_and_both_numbers() -> None:
    gold = {("EUR", "captured_cents"): 100, ("JPY", "payments"): 1}
    found = disagreements(gold, {"PostgreSQL": dict(gold), "the mart": {("EUR", "captured_cents"): 99}})
    assert [str(each) for each in found] == [
        "the mart: EUR captured_cents is 99, and not 100",
        "the mart: JPY payments is 0, and not 1",
    ]


def test_the_truth_of_a_world_is_what_its_events_tell(history: Path) -> None:
    told: defaultdict[tuple[str, str], int] = defaultdict(int)
    payments, refunds = set(), {}
    for row in pq.read_table(history / HISTORY_FILE).to_pylist():
        currency = row["currency"]
        payments.add((currency, row["payment_id"]))
        if row["event_type"] == "payment.succeeded" and row["amount_captured_cents"]:
            told[currency, "captured_cents"] += row["amount_captured_cents"]
        if row["event_type"] in {"refund.created", "payment.refunded"}:
            refunds[row["payment_id"]] = (currency, row["amount_refunded_cents"] or row["amount_cents"])
        if row["event_type"] == "dispute.created":
            told[currency, "disputed_cents"] += row["amount_cents"]
    for currency, _ in payments:
        told[currency, "payments"] += 1
    for currency, cents in refunds.values():
        told[currency, "refunded_cents"] += cents
    truth = truth_of(history)
    assert told["USD", "refunded_cents"] > 0
    assert truth.totals == told
    assert len(truth.payment_ids) == len(payments)


def test_a_history_whose_labels_tell_no_refunds_is_named(history: Path, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    labels = pq.read_table(history / "labels/payments.parquet").drop_columns(["refunded_at", "refunded_cents"])
    pq.write_table(labels, tmp_path / "labels/payments.parquet")
    with pytest.raises(TruthError, match="refunded_at, refunded_cents"):
        truth_of(tmp_path)
