"""What became of payments is told by events alone, and agrees with the truth where events can know it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mlops.monitoring.performance import DAY_US
from mlops.pipelines.lib.outcomes import ABSENCE_US, Outcomes, Told
from tests.unit.mlops.pipelines.bronze import BronzeTables, exported

START_US = 1_700_000_000_000_000


def told(event_type: str, day: float, **known: Any) -> Told:
    at_us = START_US + int(day * DAY_US)
    told = {
        "event_id": f"{event_type}@{day}",
        "event_type": event_type,
        "payment_id": "p1",
        "merchant_id": "m1",
        "customer_id": "c1",
        "card": "card1",
        "attempt_id": f"ch@{day}",
        "invoiced": True,
        "reason": None,
        "failure_code": None,
        "final": False,
        "occurred_us": at_us,
        "arrived_us": at_us + 1,
    }
    return Told(**{**told, **known})


def test_a_payment_is_fraud_from_when_we_hear_that_it_is_disputed_as_one() -> None:
    paid = told("payment.succeeded", 0)
    disputed = told("dispute.created", 9, reason="fraudulent", attempt_id=None)
    of_another_kind = told("dispute.created", 3, reason="product_not_received", payment_id="p2", attempt_id=None)
    frauds = {row["payment_id"]: row for row in Outcomes([paid, disputed, of_another_kind]).payments()}
    assert frauds["p1"]["is_fraud"]
    assert frauds["p1"]["disputed_at"] == disputed.arrived_us
    assert not frauds["p2"]["is_fraud"]


def test_a_decline_is_followed_by_the_next_attempt_of_its_payment_whatever_the_order_of_arrival() -> None:
    tries = [told("payment.failed", 0), told("payment.failed", 2), told("payment.succeeded", 5)]
    first, second = Outcomes(reversed(tries)).decisions()
    assert (first["attempt_number"], first["outcome"], first["retry_at"]) == (1, "failed", tries[1].occurred_us)
    assert (second["attempt_number"], second["outcome"], second["retry_at"]) == (2, "succeeded", tries[2].occurred_us)


@pytest.mark.parametrize(
    ("following", "outcome"),
    [
        ([], "stopped"),
        ([told("payment.succeeded", 15)], "stopped"),
        ([told("payment.succeeded", 1, card="card2")], "overtaken"),
    ],
)
def test_of_a_decline_that_was_not_tried_again_in_time_on_its_card_nothing_is_learned(
    following: list[Told], outcome: str
) -> None:
    (decision,) = Outcomes([told("payment.failed", 0), *following]).decisions()
    assert (decision["outcome"], decision["retry_at"]) == (outcome, None)


def test_what_a_customer_tries_again_at_the_till_is_no_retry() -> None:
    tries = [told("payment.failed", 0, invoiced=False), told("payment.succeeded", 0.01, invoiced=False)]
    assert not list(Outcomes(tries).decisions())


@pytest.mark.parametrize(("day", "absent"), [(44.9, False), (45.1, True)])
def test_who_makes_no_other_payment_in_time_stays_away(day: float, absent: bool) -> None:  # noqa: FBT001 - a parameter
    events = [told("payment.succeeded", 0), told("payment.succeeded", day, payment_id="p2")]
    rows = {row["event_id"]: row for row in Outcomes(events).absences()}
    assert rows["payment.succeeded@0"]["absent"] is absent
    assert rows["payment.succeeded@0"]["subscribes"]


def test_the_same_payment_at_last_is_no_other_payment() -> None:
    events = [told("payment.failed", 0), told("payment.succeeded", 3)]
    assert all(row["absent"] for row in Outcomes(events).absences())
    assert ABSENCE_US == 45 * DAY_US


def test_retries_and_disputes_of_a_world_are_those_of_its_truth(history: Path, tmp_path: Path) -> None:
    folder = exported(BronzeTables.of(history), tmp_path)
    mine = {row["charge_id"]: row for row in pq.read_table(folder / "labels/decisions.parquet").to_pylist()}
    truth = {row["charge_id"]: row for row in pq.read_table(history / "labels/decisions.parquet").to_pylist()}
    pairs = Counter((truth[charge]["outcome"], row["outcome"]) for charge, row in mine.items() if charge in truth)
    assert pairs["succeeded", "succeeded"] > 10
    assert pairs["failed", "failed"] > 20
    assert not [pair for pair in pairs if "succeeded" in pair and pair != ("succeeded", "succeeded")]
    assert not [pair for pair in pairs if "failed" in pair and pair != ("failed", "failed")]
    frauds = {
        row["payment_id"] for row in pq.read_table(folder / "labels/payments.parquet").to_pylist() if row["is_fraud"]
    }
    disputed = {
        row["payment_id"]
        for row in pq.read_table(history / "labels/payments.parquet").to_pylist()
        if row["is_fraud"] and row["disputed_at"] is not None
    }
    assert len(disputed & frauds) > 0.8 * len(disputed) > 3, "those after the end of the history are not heard of"
