"""Payments to ask about, for tests: valid ones, to be changed by keyword."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE

from services.inference.case import Case, CaseReader
from services.inference.handler import Handler
from services.inference.serving import Serving
from services.inference.tables import read_rule_tables
from services.inference.wiring import rules_handler

HOUR = 3600
DAY = 24 * HOUR
# 2026-11-01 12:00:00 UTC.
OCCURRED = 1_793_534_400
AT = Timestamp(seconds=OCCURRED + 2)

TABLES = read_rule_tables()
READER = CaseReader(TABLES)


def payment(
    *, occurred: int = OCCURRED, previous: Sequence[int] = (), other_amounts: Sequence[int] = (), **changes: Any
) -> PaymentContext:
    """A card payment of USD 20.00 by a known customer.

    `previous` are earlier attempts in seconds since 1970, `other_amounts` those for other amounts.
    """
    fields: dict[str, Any] = {
        "payment_id": "stripe:pi_1",
        "merchant_id": "acct_shop",
        "customer_id": "cus_ada",
        "amount_cents": 2000,
        "currency": "USD",
        "provider": PROVIDER_STRIPE,
        "payment_method_type": "card",
        "card_brand": "visa",
        "card_fingerprint": "fp_ada",
        "card_country": "US",
        "card_funding": "credit",
        "occurred_at": Timestamp(seconds=occurred),
        "previous_attempts": [Timestamp(seconds=moment) for moment in previous],
        "previous_attempts_other_amounts": [Timestamp(seconds=moment) for moment in other_amounts],
    }
    present = {name: value for name, value in {**fields, **changes}.items() if value is not None}
    return PaymentContext(**present)


def declined(code: str = "insufficient_funds", **changes: Any) -> PaymentContext:
    """The same, declined with this code."""
    return payment(failure_code=code, **changes)


def case(asked: PaymentContext) -> Case:
    """A payment as predictors see it."""
    return READER.read(asked)


def handler() -> Handler:
    """Rules behind the guard, as in production."""
    return rules_handler(TABLES)


def by_rules() -> Serving:
    """The same as what serves where no model does."""
    return Serving(handler())
