"""Hand-written rows of bronze: payments whose every figure can be worked out on paper, told in two batches."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tests.lake import Lake

SOURCES: Final = Path("dbt/models/bronze/_sources.yml")
_DAYS: Final = {
    "payment_events": "provider_created_at",
    "decisions": "decided_at",
    "quarantine": "failed_at",
    "predictions": "predicted_at",
}

# What no table of silver, gold or marts may hold.
SECRETS: Final = ("cus_ada", "cus_bob", "fp_one", "fp_two", "4242", "Ada Lovelace")
_PERSONAL: Final = {
    "card_last_four": "4242",
    "failure_message": "Ada Lovelace was declined",
    "metadata": '{"name": "Ada Lovelace"}',
}
FIRST_BATCH, SECOND_BATCH = "2025-02-20 00:00:00 UTC", "2025-02-21 00:00:00 UTC"

Row = Mapping[str, Any]


def event(
    event_id: str, payment: str, told_by: str, what: str, at: str, amount: int, currency: str = "USD", **more: Any
) -> Row:
    """One payment event; `told_by` is the provider's object."""
    return {
        "event_id": f"stripe:{event_id}", "provider": "stripe", "provider_event_id": event_id, "event_type": what,
        "merchant_id": "m1", "customer_id": "cus_ada", "card_fingerprint": "fp_one", "card_brand": "visa",
        "amount_cents": amount, "currency": currency, "payment_id": f"stripe:{payment}", "provider_object_id": told_by,
        "status": what.partition(".")[2], "provider_created_at": f"{at} UTC", "processed_at": f"{at} UTC",
        "stored_at": f"{at} UTC", "schema_version": 1, "livemode": True, **_PERSONAL, **more,
    }  # fmt: skip


_DECLINED: Final = {"failure_code": "do_not_honor", "decline_class": "generic"}
_LOST: Final = {"failure_code": "lost_card", "decline_class": "hard"}

EARLY: Final = (
    # Failed, told by charge and PaymentIntent; came in on the next day.
    event("a1", "pi_a", "ch_a1", "payment.failed", "2025-01-01 10:00:00", 1000, **_DECLINED),
    event("a2", "pi_a", "pi_a", "payment.failed", "2025-01-01 10:00:01", 1000, card_fingerprint=None, **_DECLINED),
    event("a3", "pi_a", "ch_a2", "payment.succeeded", "2025-01-02 10:00:00", 1000, amount_captured_cents=1000),
    # The same event once more: ingested twice.
    event("a3", "pi_a", "ch_a2", "payment.succeeded", "2025-01-02 10:00:00", 1000, amount_captured_cents=1000),
    # Collected in yen and given back in part; the charge tells of it first.
    event("b1", "pi_b", "ch_b", "payment.succeeded", "2025-01-03 08:00:00", 500, "JPY", amount_captured_cents=500),
    event(
        "b2", "pi_b", "ch_b", "payment.refunded", "2025-01-05 08:00:00", 500, "JPY",
        amount_captured_cents=500, amount_refunded_cents=200,
    ),
    # Lost for good, in dinars.
    event("c1", "pi_c", "ch_c", "payment.failed", "2025-01-03 09:00:00", 12345, "KWD", merchant_id="m2",
          customer_id="cus_bob", card_fingerprint="fp_two", **_LOST),
    # Collected, told by both.
    event("d1", "pi_d", "pi_d", "payment.succeeded", "2025-01-04 09:00:00", 2000, merchant_id="m2",
          amount_captured_cents=2000),
    event("d2", "pi_d", "ch_d", "payment.succeeded", "2025-01-04 09:00:00", 2000, merchant_id="m2",
          amount_captured_cents=2000),
    # The PaymentIntent tells of a failure whose charge is still to be heard of.
    event("e1", "pi_e", "pi_e", "payment.failed", "2025-01-31 23:59:59", 300, **_DECLINED),
    # Given back twice; of the first refund the charge tells before it tells of itself.
    event("h1", "pi_h", "ch_h", "payment.succeeded", "2025-01-06 08:00:00", 1000, amount_captured_cents=1000),
    event("h2", "pi_h", "ch_h", "payment.refunded", "2025-01-07 08:00:00", 1000, status="refunded",
          amount_captured_cents=1000, amount_refunded_cents=300),
    # A refund of which no payment is known yet.
    event("g2", "pi_g", "re_g", "refund.created", "2025-01-20 00:00:00", 40, status="refunded", customer_id=None,
          card_fingerprint=None),
)  # fmt: skip
LATE: Final = (
    # An earlier failure of the first payment, in another month.
    event("a0", "pi_a", "ch_a0", "payment.failed", "2024-12-31 23:00:00", 1000, **_LOST),
    # The refund that the charge told of, by its own event of two days later.
    event("b3", "pi_b", "re_b", "refund.updated", "2025-01-07 08:00:00", 200, "JPY", status="refunded",
          customer_id=None, card_fingerprint=None),
    event("d3", "pi_d", "dp_d", "dispute.created", "2025-02-10 00:00:00", 1500, merchant_id="m2", status="disputed",
          customer_id=None, card_fingerprint=None, reason="fraudulent"),
    event("d4", "pi_d", "dp_d", "dispute.closed", "2025-02-15 00:00:00", 1500, merchant_id="m2",
          status="dispute_lost", customer_id=None, card_fingerprint=None, reason="fraudulent"),
    # The charge behind the PaymentIntent's failure, two seconds after it and a day later by the calendar.
    event("e2", "pi_e", "ch_e", "payment.failed", "2025-02-01 00:00:01", 300, **_DECLINED),
    event("f1", "pi_f", "ch_f", "payment.succeeded", "2025-02-11 12:00:00", 700, amount_captured_cents=700),
    # The first refund by itself; the second one, of which the charge alone ever tells.
    event("h3", "pi_h", "re_h1", "refund.updated", "2025-01-09 08:00:00", 300, status="refunded", customer_id=None,
          card_fingerprint=None),
    event("h4", "pi_h", "ch_h", "payment.refunded", "2025-02-13 08:00:00", 1000, status="refunded",
          amount_captured_cents=1000, amount_refunded_cents=1000),
    # All that is ever heard of this payment itself lies behind its refund, in the next month.
    event("g3", "pi_g", "ch_g", "payment.updated", "2025-02-12 00:00:00", 90, status="refunded",
          amount_captured_cents=90, amount_refunded_cents=40),
)  # fmt: skip

DECISION: Final = {
    "event_id": "stripe:a1", "payment_id": "stripe:pi_a", "merchant_id": "m1", "customer_id": "cus_ada",
    "provider": "stripe", "event_type": "payment.failed", "amount_cents": 1000, "currency": "USD", "action": "retry",
    "degraded": False, "fallback": False, "retry_action": "retry", "decided_at": "2025-01-01 10:00:02 UTC",
    "stored_at": "2025-01-01 10:00:02 UTC", "decision": '{"customer_id": "cus_ada"}', "schema_version": 1,
}  # fmt: skip
PREDICTION: Final = {
    "payment_id": "stripe:pi_a", "event_id": "stripe:a1", "merchant_id": "m1", "question": "retry",
    "model_name": "retry", "model_version": "1", "model_alias": "champion", "shadow": False, "fallback": False,
    "score": 0.4, "entities": '[{"view": "customer_stats", "key": "m1|cus_ada"}]',
    "predicted_at": "2025-01-01 10:00:02 UTC", "stored_at": "2025-01-01 10:00:03 UTC",
}  # fmt: skip
REJECTED: Final = {
    "source_table": "payment_events", "rule_id": "amount_cents.negative", "key": "stripe:x", "reason": "is below zero",
    "row": '{"customer_id": "cus_bob"}', "batch_id": "1", "event_day": "2025-01-03",
    "rejected_at": "2025-02-20 00:00:00 UTC",
}  # fmt: skip


def make_tables(lake: Lake) -> None:
    """Every bronze table, empty, with the columns that dbt's sources list."""
    lake.query("create schema lake.bronze")
    for name, columns in _columns().items():
        listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        days = f" with (partitioning = array['day({_DAYS[name]})'])" if name in _DAYS else ""
        lake.query(f"create table lake.bronze.{name} ({listed}){days}")


def append(lake: Lake, table: str, rows: Sequence[Row], ingested_at: str | None = None) -> None:
    """One batch of rows; what they do not name is null."""
    kinds = _columns()[table]
    batch = [{**row, "ingested_at": ingested_at} if ingested_at else row for row in rows]
    names = sorted({name for row in batch for name in row})
    values = ", ".join("(" + ", ".join(_literal(row.get(name), kinds[name]) for name in names) + ")" for row in batch)
    listed = ", ".join(map(_quoted, names))
    lake.query(f"insert into lake.bronze.{table} ({listed}) values {values}")  # noqa: S608 - rows of this module


def _columns() -> Mapping[str, Mapping[str, str]]:
    tables = yaml.safe_load(SOURCES.read_text())["sources"][0]["tables"]
    return {table["name"]: {each["name"]: each["data_type"] for each in table["columns"]} for table in tables}


def _quoted(name: str) -> str:
    return f'"{name}"'


def _literal(value: Any, kind: str) -> str:
    told = "null" if value is None else "'" + str(value).replace("'", "''") + "'"
    return f"cast({told} as {kind})"
