"""Small Stripe events for tests that look at one event: just what the test is about, and what Stripe always sends."""

import secrets
from typing import Any


def fresh(prefix: str) -> str:
    """An id that no other test has."""
    return f"{prefix}_{secrets.token_hex(12)}"


def event(event_type: str, shown: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    """An event around an object."""
    return {
        "id": fresh("evt"),
        "object": "event",
        "api_version": "2025-04-30.basil",
        "created": 1_790_000_000,
        "data": {"object": shown},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
        **envelope,
    }


def payment_intent(amount: int, currency: str, **fields: Any) -> dict[str, Any]:
    """A PaymentIntent."""
    return {
        "id": fresh("pi"),
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount,
        "currency": currency,
        "customer": fresh("cus"),
        "created": 1_790_000_000,
        "metadata": {},
        "payment_method_types": ["card"],
        "status": "succeeded",
        **fields,
    }


def declined_charge(decline_code: str, network_code: str, advice: str | None, **card: Any) -> dict[str, Any]:
    """A charge that the issuer declined."""
    return {
        "id": fresh("ch"),
        "object": "charge",
        "amount": 2999,
        "amount_captured": 0,
        "amount_refunded": 0,
        "currency": "usd",
        "customer": fresh("cus"),
        "created": 1_790_000_000,
        "failure_code": "card_declined",
        "failure_message": "Your card was declined.",
        "metadata": {},
        "outcome": {
            "advice_code": advice,
            "network_advice_code": None,
            "network_decline_code": network_code,
            "network_status": "declined_by_network",
            "reason": decline_code,
            "risk_score": 12,
            "type": "issuer_declined",
        },
        "paid": False,
        "payment_intent": fresh("pi"),
        "payment_method_details": {
            "card": {"brand": "visa", "country": "US", "exp_month": 8, "exp_year": 2034, "last4": "4242", **card},
            "type": "card",
        },
        "refunded": False,
        "status": "failed",
    }
