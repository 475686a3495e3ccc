"""What a payment shows by itself, as features: one code for training (events) and for serving (contexts)."""

from datetime import UTC, datetime
from typing import Final

from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.currencies import ABOUT_USD_1000, HOME_COUNTRIES
from mlops.features.facts import microseconds
from mlops.features.transform import Values

OWN_FEATURES: Final = (
    "amount_usd",
    "provider_risk_score",
    "card_prepaid",
    "card_debit",
    "card_foreign",
    "card_months_left",
    "recurring",
    "guest",
    "failed",
    "hour_utc",
)
"""Their names, none of which the catalog has: with the values of the three views they are one row."""

_HOUR_US: Final = 3_600_000_000
_USD_A_ROW: Final = 1_000


def context_features(payment: PaymentContext) -> Values:
    """What a model is told of the payment that serving is asked about."""
    return _features(payment, recurring=payment.recurring, at_us=microseconds(payment.occurred_at))


def event_features(event: UnifiedPaymentEvent) -> Values:
    """The same of an event of history, as the workflow would have asked about it."""
    return _features(event, recurring=event.HasField("invoice_id"), at_us=microseconds(event.provider_created_at))


def _features(payment: PaymentContext | UnifiedPaymentEvent, *, recurring: bool, at_us: int) -> Values:
    funding, risk = payment.card_funding, payment.provider_risk_score
    return {
        "amount_usd": _about_usd(payment.amount_cents, payment.currency),
        "provider_risk_score": risk if payment.HasField("provider_risk_score") else None,
        "card_prepaid": int(funding == "prepaid") if funding else None,
        "card_debit": int(funding == "debit") if funding else None,
        "card_foreign": _foreign(payment.card_country, payment.currency),
        "card_months_left": _months_left(payment, at_us),
        "recurring": int(recurring),
        "guest": int(not payment.customer_id),
        "failed": int(bool(payment.failure_code or payment.decline_class)),
        "hour_utc": at_us // _HOUR_US % 24,
    }


def _about_usd(amount_cents: int, currency: str) -> float | None:
    thousand = ABOUT_USD_1000.get(currency)
    return None if thousand is None else amount_cents * _USD_A_ROW / thousand


def _foreign(country: str, currency: str) -> int | None:
    home = HOME_COUNTRIES.get(currency)
    return int(country not in home) if country and home is not None else None


def _months_left(payment: PaymentContext | UnifiedPaymentEvent, at_us: int) -> int | None:
    """Whole months from the one of the payment to the card's last; below 0 where the card has expired."""
    if not payment.card_exp_year or not payment.card_exp_month:
        return None
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return (payment.card_exp_year - at.year) * 12 + payment.card_exp_month - at.month
