"""Charges: one attempt to collect money.

Source: docs.stripe.com/api/charges/object and docs.stripe.com/api/events/types, read 2026-11.
"""

from collections.abc import Mapping
from typing import Final

from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import (
    PAYMENT_STATUS_AUTHORIZED,
    PAYMENT_STATUS_EXPIRED,
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_PROCESSING,
    PAYMENT_STATUS_REFUNDED,
    PAYMENT_STATUS_SUCCEEDED,
    PaymentStatus,
)
from tidegate.stripe.v1.charge_pb2 import Charge, ChargeWebhook

from services.normalizer.mappings.stripe.card import CARD_ROWS, cards_of, payment_method_type, types_of
from services.normalizer.mappings.stripe.standing import look_up_status, unknown_type
from services.normalizer.nulls import present
from services.normalizer.table import Amount, Failure, Number, ObjectMapping, Part, Standing, Text
from services.runtime.errors import BrokenRule

_STANDINGS: Final[Mapping[str, Standing]] = {
    "charge.captured": Standing("payment.captured", PAYMENT_STATUS_SUCCEEDED),
    "charge.expired": Standing("payment.expired", PAYMENT_STATUS_EXPIRED),
    "charge.failed": Standing("payment.failed", PAYMENT_STATUS_FAILED),
    "charge.pending": Standing("payment.processing", PAYMENT_STATUS_PROCESSING),
    "charge.refunded": Standing("payment.refunded", PAYMENT_STATUS_REFUNDED),
    "charge.succeeded": Standing("payment.succeeded", PAYMENT_STATUS_SUCCEEDED),
}
# Stripe calls an authorisation without capture succeeded too, but no money moved.
_AUTHORIZED: Final = Standing("payment.authorized", PAYMENT_STATUS_AUTHORIZED)

_STATUSES: Final[Mapping[str, PaymentStatus]] = {
    "succeeded": PAYMENT_STATUS_SUCCEEDED,
    "pending": PAYMENT_STATUS_PROCESSING,
    "failed": PAYMENT_STATUS_FAILED,
    # What old API versions call succeeded.
    "paid": PAYMENT_STATUS_SUCCEEDED,
}


def _standing(event_type: str, charge: Charge) -> Standing | BrokenRule:
    if event_type == "charge.updated":
        status = _status_after_update(charge)
        return status if isinstance(status, BrokenRule) else Standing("payment.updated", status)
    if event_type == "charge.succeeded" and _is_uncaptured(charge):
        return _AUTHORIZED
    return _STANDINGS.get(event_type) or unknown_type(event_type)


def _status_after_update(charge: Charge) -> PaymentStatus | BrokenRule:
    """Where the charge stands by its own fields.

    `disputed` is left out: it stays true when the dispute is won, so only dispute events tell.
    """
    if charge.refunded or charge.amount_refunded > 0:
        return PAYMENT_STATUS_REFUNDED
    status = look_up_status(_STATUSES, present(charge.status) or _legacy_status(charge))
    if status == PAYMENT_STATUS_SUCCEEDED and _is_uncaptured(charge):
        return PAYMENT_STATUS_AUTHORIZED
    return status


def _legacy_status(charge: Charge) -> str:
    """Old API versions have no status, only `paid`."""
    if not charge.HasField("paid"):
        return ""
    return "succeeded" if charge.paid else "failed"


def _is_uncaptured(charge: Charge) -> bool:
    return charge.HasField("captured") and not charge.captured


CHARGE: Final = ObjectMapping(
    provider=PROVIDER_STRIPE,
    webhook=ChargeWebhook,
    object_field="charge",
    body_path="data.object",
    payment_id=("payment_intent", "id"),
    standing=_standing,
    rows=(
        Text("provider_object_id", ("id",)),
        Amount("amount_cents", "amount"),
        Amount("amount_captured_cents", "amount_captured"),
        Amount("amount_refunded_cents", "amount_refunded"),
        Text("customer_id", ("customer",)),
        Text("invoice_id", ("invoice",)),
        Text("payment_method_type", types_of(""), payment_method_type),
        Number("provider_risk_score", ("outcome.risk_score",)),
        Part(cards_of(""), CARD_ROWS),
    ),
    failure=Failure(
        codes=("outcome.reason", "failure_code"),
        rows=(
            Text("failure_message", ("failure_message",)),
            Text("network_decline_code", ("outcome.network_decline_code",)),
            Text("network_advice_code", ("outcome.network_advice_code",)),
            Text("provider_advice_code", ("outcome.advice_code",)),
        ),
    ),
)
