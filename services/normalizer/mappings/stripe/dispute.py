"""Disputes: a cardholder contests a charge.

Source: docs.stripe.com/api/disputes/object and docs.stripe.com/api/events/types, read 2026-11.
"""

from collections.abc import Mapping
from typing import Final

from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import (
    PAYMENT_STATUS_DISPUTE_LOST,
    PAYMENT_STATUS_DISPUTE_WON,
    PAYMENT_STATUS_DISPUTED,
    PaymentStatus,
)
from tidegate.stripe.v1.dispute_pb2 import Dispute, DisputeWebhook

from services.normalizer.mappings.stripe.card import brand, payment_method_type
from services.normalizer.mappings.stripe.standing import look_up_status, unknown_type
from services.normalizer.table import Amount, ObjectMapping, Standing, Text
from services.runtime.errors import BrokenRule

_EVENT_TYPES: Final[Mapping[str, str]] = {
    "charge.dispute.closed": "dispute.closed",
    "charge.dispute.created": "dispute.created",
    "charge.dispute.funds_reinstated": "dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn": "dispute.funds_withdrawn",
    "charge.dispute.updated": "dispute.updated",
}

_STATUSES: Final[Mapping[str, PaymentStatus]] = {
    "warning_needs_response": PAYMENT_STATUS_DISPUTED,
    "warning_under_review": PAYMENT_STATUS_DISPUTED,
    # An inquiry that never became a chargeback.
    "warning_closed": PAYMENT_STATUS_DISPUTE_WON,
    "needs_response": PAYMENT_STATUS_DISPUTED,
    "under_review": PAYMENT_STATUS_DISPUTED,
    "won": PAYMENT_STATUS_DISPUTE_WON,
    "lost": PAYMENT_STATUS_DISPUTE_LOST,
    # Stopped before it was raised (API versions from 2025-08-27): no chargeback. A refund behind it has its own event.
    "prevented": PAYMENT_STATUS_DISPUTE_WON,
    # Old API versions: the merchant gave in and refunded.
    "charge_refunded": PAYMENT_STATUS_DISPUTE_LOST,
    # Old API versions: contested, and too late to answer.
    "response_disabled": PAYMENT_STATUS_DISPUTED,
}


def _standing(event_type: str, dispute: Dispute) -> Standing | BrokenRule:
    unified = _EVENT_TYPES.get(event_type)
    if unified is None:
        return unknown_type(event_type)
    status = look_up_status(_STATUSES, dispute.status)
    return status if isinstance(status, BrokenRule) else Standing(unified, status)


DISPUTE: Final = ObjectMapping(
    provider=PROVIDER_STRIPE,
    webhook=DisputeWebhook,
    object_field="dispute",
    body_path="data.object",
    payment_id=("payment_intent", "charge"),
    standing=_standing,
    rows=(
        Text("provider_object_id", ("id", "charge")),
        Amount("amount_cents", "amount"),
        Text("payment_method_type", ("payment_method_details.type",), payment_method_type),
        Text("card_brand", ("payment_method_details.card.brand",), brand),
        Text("reason", ("reason",)),
    ),
)
