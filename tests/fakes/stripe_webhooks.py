"""Valid Stripe webhook messages as the gateway publishes them, with the parts that a test is about replaced."""

import hashlib
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE, SIGNATURE_SCHEME_STRIPE_V1, Receipt
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook
from tidegate.stripe.v1.dispute_pb2 import DisputeWebhook
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook
from tidegate.stripe.v1.refund_pb2 import RefundWebhook

RAW_BODY = b'{"object": "event"}'
CREATED = 1_772_442_000


def charge_webhook(
    event_type: str = "charge.succeeded", *, number: int = 1, merchant_id: str = "m1", **charge: Any
) -> ChargeWebhook:
    """A charge of 49.00 USD."""
    values = {"id": f"ch_{number}", "amount": 4900, "currency": "usd", "created": CREATED, **charge}
    return ChargeWebhook(**_envelope(event_type, number, merchant_id), charge=values)


def payment_intent_webhook(
    event_type: str = "payment_intent.succeeded", *, number: int = 1, merchant_id: str = "m1", **payment_intent: Any
) -> PaymentIntentWebhook:
    """A payment of 49.00 USD."""
    values = {"id": f"pi_{number}", "amount": 4900, "currency": "usd", "created": CREATED, **payment_intent}
    return PaymentIntentWebhook(**_envelope(event_type, number, merchant_id), payment_intent=values)


def refund_webhook(
    event_type: str = "refund.created", *, number: int = 1, merchant_id: str = "m1", **refund: Any
) -> RefundWebhook:
    """A refund of 49.00 USD on charge ch_1."""
    values = {"id": f"re_{number}", "amount": 4900, "currency": "usd", "created": CREATED, "charge": "ch_1", **refund}
    return RefundWebhook(**_envelope(event_type, number, merchant_id), refund=values)


def dispute_webhook(
    event_type: str = "charge.dispute.created", *, number: int = 1, merchant_id: str = "m1", **dispute: Any
) -> DisputeWebhook:
    """A dispute over 49.00 USD of charge ch_1."""
    values = {
        "id": f"dp_{number}",
        "amount": 4900,
        "currency": "usd",
        "created": CREATED,
        "charge": "ch_1",
        "status": "needs_response",
        **dispute,
    }
    return DisputeWebhook(**_envelope(event_type, number, merchant_id), dispute=values)


def receipt_id(number: int) -> str:
    """The receipt id of the webhook with this number."""
    return f"{number:032x}"


def _envelope(event_type: str, number: int, merchant_id: str) -> dict[str, Any]:
    return {
        "receipt": Receipt(
            receipt_id=receipt_id(number),
            provider=PROVIDER_STRIPE,
            received_at=Timestamp(seconds=CREATED + 2),
            scheme=SIGNATURE_SCHEME_STRIPE_V1,
            key_id="0123abcd",
            body_sha256=hashlib.sha256(RAW_BODY).digest(),
            body_bytes=len(RAW_BODY),
        ),
        "merchant_id": merchant_id,
        "type": event_type,
        "event": {"id": f"evt_{number}", "created": CREATED, "livemode": True},
        "raw_body": RAW_BODY,
    }
