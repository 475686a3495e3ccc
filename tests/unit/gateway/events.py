"""Stripe events as Stripe sends them, small and with the parts replaced that a test is about; and their signatures."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import orjson

from services.gateway.handler import Arrival, StripeEndpoint
from services.gateway.providers.stripe import signing_secrets

SECRET = "whsec_test_first"
NOW = datetime(2026, 11, 23, 5, 0, 0, 123_456, UTC)
NOW_SECONDS = int(NOW.timestamp())
RECEIPT_ID = "0123456789abcdef0123456789abcdef"
ENDPOINT = StripeEndpoint(signing_secrets(SECRET), "shop", 300)

CARD = {
    "brand": "visa",
    "checks": {"cvc_check": "pass"},
    "country": "US",
    "exp_month": 12,
    "exp_year": 2030,
    "fingerprint": "Xt5EWLLDS7FJjR1c",
    "funding": "credit",
    "last4": "4242",
    "network": "visa",
}

CHARGE = {
    "id": "ch_3PqrstUVwxyz",
    "object": "charge",
    "amount": 4900,
    "amount_captured": 4900,
    "amount_refunded": 0,
    "balance_transaction": "txn_1",
    "captured": True,
    "created": 1_763_870_000,
    "currency": "usd",
    "customer": "cus_9s6XKzkNRiz8i3",
    "failure_code": None,
    "invoice": None,
    "metadata": {"order": "6735"},
    "outcome": {
        "network_status": "approved_by_network",
        "risk_level": "normal",
        "risk_score": 32,
        "type": "authorized",
    },
    "paid": True,
    "payment_intent": "pi_3PqrstUVwxyz",
    "payment_method_details": {"card": CARD, "type": "card"},
    "refunded": False,
    "status": "succeeded",
}

PAYMENT_INTENT = {
    "id": "pi_3PqrstUVwxyz",
    "object": "payment_intent",
    "amount": 4900,
    "amount_received": 0,
    "charges": {"object": "list", "data": [CHARGE], "has_more": False},
    "created": 1_763_870_000,
    "currency": "usd",
    "customer": "cus_9s6XKzkNRiz8i3",
    "last_payment_error": {
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.",
        "payment_method": {"id": "pm_1", "object": "payment_method", "type": "card", "card": CARD},
        "type": "card_error",
    },
    "metadata": {},
    "payment_method_types": ["card", "link"],
    "status": "requires_payment_method",
}

REFUND = {
    "id": "re_3Pqrst",
    "object": "refund",
    "amount": 4900,
    "charge": "ch_3PqrstUVwxyz",
    "created": 1_763_870_100,
    "currency": "usd",
    "metadata": {},
    "payment_intent": "pi_3PqrstUVwxyz",
    "reason": "requested_by_customer",
    "status": "succeeded",
}

DISPUTE = {
    "id": "dp_1Pqrst",
    "object": "dispute",
    "amount": 4900,
    "charge": "ch_3PqrstUVwxyz",
    "created": 1_763_870_200,
    "currency": "usd",
    "evidence_details": {"due_by": 1_764_000_000},
    "is_charge_refundable": False,
    "metadata": {},
    "payment_method_details": {
        "type": "card",
        "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
    },
    "reason": "fraudulent",
    "status": "needs_response",
}

CONTRACTED = {
    "payment_intent.payment_failed": PAYMENT_INTENT,
    "charge.succeeded": CHARGE,
    "refund.created": REFUND,
    "charge.dispute.created": DISPUTE,
}


def event(event_type: str = "charge.succeeded", carried: object = CHARGE, **envelope: Any) -> dict[str, Any]:
    """A whole event; envelope fields can be replaced."""
    return {
        "id": "evt_3PqrstUVwxyz",
        "object": "event",
        "api_version": "2025-04-30.basil",
        "created": 1_763_870_300,
        "data": {"object": carried},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": "req_1", "idempotency_key": "key-1"},
        "type": event_type,
        **envelope,
    }


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """The fields but for these."""
    return {name: value for name, value in fields.items() if name not in names}


def sign(body: bytes, secret: str = SECRET, at: int = NOW_SECONDS) -> str:
    """The v1 signature, in hexadecimal."""
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


def header(body: bytes, secret: str = SECRET, at: int = NOW_SECONDS) -> bytes:
    """A Stripe-Signature header."""
    return f"t={at},v1={sign(body, secret, at)}".encode()


def arrival(body: bytes | dict[str, Any]) -> Arrival:
    """An authentic arrival of a body."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Arrival(raw, header(raw), RECEIPT_ID, NOW)
