"""Refunds: money given back on a charge.

Source: docs.stripe.com/api/refunds/object and docs.stripe.com/api/events/types, read 2026-11.
"""

from collections.abc import Mapping
from typing import Final

from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import (
    PAYMENT_STATUS_REFUND_FAILED,
    PAYMENT_STATUS_REFUND_PENDING,
    PAYMENT_STATUS_REFUNDED,
    PaymentStatus,
)
from tidegate.stripe.v1.refund_pb2 import Refund, RefundWebhook

from services.normalizer.mappings.stripe.standing import look_up_status, unknown_type
from services.normalizer.nulls import present
from services.normalizer.table import Amount, Failure, ObjectMapping, Standing, Text
from services.runtime.errors import BrokenRule

_EVENT_TYPES: Final[Mapping[str, str]] = {
    "charge.refund.updated": "refund.updated",
    # Some senders put the refund where Stripe puts the charge. The event is about the object, and so is its amount.
    "charge.refunded": "refund.created",
    "refund.created": "refund.created",
    "refund.failed": "refund.failed",
    "refund.updated": "refund.updated",
}

_STATUSES: Final[Mapping[str, PaymentStatus]] = {
    "pending": PAYMENT_STATUS_REFUND_PENDING,
    "requires_action": PAYMENT_STATUS_REFUND_PENDING,
    "succeeded": PAYMENT_STATUS_REFUNDED,
    "failed": PAYMENT_STATUS_REFUND_FAILED,
    "canceled": PAYMENT_STATUS_REFUND_FAILED,
}
# Old API versions have no status: there, a refund that exists has succeeded.
_WITHOUT_STATUS: Final = "succeeded"


def _standing(event_type: str, refund: Refund) -> Standing | BrokenRule:
    unified = _EVENT_TYPES.get(event_type)
    if unified is None:
        return unknown_type(event_type)
    if unified == "refund.failed":
        return Standing(unified, PAYMENT_STATUS_REFUND_FAILED)
    status = look_up_status(_STATUSES, present(refund.status) or _WITHOUT_STATUS)
    return status if isinstance(status, BrokenRule) else Standing(unified, status)


REFUND: Final = ObjectMapping(
    provider=PROVIDER_STRIPE,
    webhook=RefundWebhook,
    object_field="refund",
    body_path="data.object",
    # A refund from a customer's balance gives back no payment, so its events are joined by itself.
    payment_id=("payment_intent", "charge", "id"),
    standing=_standing,
    rows=(
        Text("provider_object_id", ("id",)),
        Amount("amount_cents", "amount"),
        Text("customer_id", ("customer",)),
        Text("reason", ("reason",)),
    ),
    failure=Failure(codes=("failure_reason",), rows=(), is_decline=False),
)
