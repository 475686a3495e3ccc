"""Which parts of the business an event belongs to, by what its contract does not mark as personal. Pure."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass, UnifiedPaymentEvent

from mlops.features.currencies import ABOUT_USD_1000

UNKNOWN: Final = "unknown"
_USD_A_ROW: Final = 1_000
# Lower bounds of the bands of amounts, in US dollars.
_BANDS_USD: Final = (0, 10, 50, 100, 500, 1_000)


def segments(event: UnifiedPaymentEvent) -> Mapping[str, str]:
    """The part of each dimension; amounts in US dollars are an order of magnitude."""
    found = {
        "currency": event.currency,
        "merchant": event.merchant_id,
        "card brand": event.card_brand or UNKNOWN,
        "card country": event.card_country or UNKNOWN,
        "kind of payment": _kind(event),
        "amount": _band(event),
    }
    if event.HasField("decline_class"):
        found["decline class"] = DeclineClass.Name(event.decline_class).removeprefix("DECLINE_CLASS_").lower()
    return found


def about_usd(amount_cents: int, currency: str) -> int | None:
    """An amount in whole US dollars, by order of magnitude; None where nothing is known of the currency."""
    thousand = ABOUT_USD_1000.get(currency)
    return None if thousand is None else amount_cents * _USD_A_ROW // thousand


def _kind(event: UnifiedPaymentEvent) -> str:
    if event.HasField("invoice_id"):
        return "subscription"
    return "single, known customer" if event.HasField("customer_id") else "single, guest"


def _band(event: UnifiedPaymentEvent) -> str:
    usd = about_usd(event.amount_cents, event.currency)
    if usd is None:
        return UNKNOWN
    bounds = (f"USD {low:,} to {high:,}" for low, high in pairwise(_BANDS_USD) if low <= usd < high)
    return next(bounds, f"USD {_BANDS_USD[-1]:,} and more")
