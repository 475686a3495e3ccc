"""How a payment was made: rows for a card, which Stripe writes alike on charges, payment methods and legacy sources."""

from collections.abc import Mapping
from typing import Final

from services.normalizer.table import Number, Text

# Names of API versions before payment methods, and today's. Source: docs.stripe.com/api/cards/object, read 2026-11.
_LEGACY_BRANDS: Final[Mapping[str, str]] = {"american express": "amex", "diners club": "diners"}
# The kinds of legacy sources that are a payment method, by today's type; "source" is any of many, and says nothing.
_LEGACY_SOURCES: Final[Mapping[str, str | None]] = {
    "bank_account": "ach_debit",
    "source": None,
    "three_d_secure": "card",
}


def cards_of(attempt: str) -> tuple[str, ...]:
    """Where a charge has its card, from today's API version back; `attempt` leads to the charge, with its dot."""
    return (f"{attempt}payment_method_details.card", *cards_in(f"{attempt}source"), f"{attempt}card")


def cards_in(source: str) -> tuple[str, ...]:
    """Where a legacy source has its card: a bank account has a last4 and a fingerprint too, which are no card's."""
    return (f"{source}[object=card]", f"{source}.card", f"{source}.three_d_secure")


def types_of(attempt: str) -> tuple[str, ...]:
    """Where a charge has the type of its payment method, from today's API version back."""
    return (f"{attempt}payment_method_details.type", *types_in(f"{attempt}source"), f"{attempt}card.object")


def types_in(source: str) -> tuple[str, ...]:
    """Where a legacy source says of what kind it is."""
    return (f"{source}.object", f"{source}.type")


def payment_method_type(text: str) -> str | None:
    """A payment method type in today's spelling."""
    lower = text.lower()
    return _LEGACY_SOURCES.get(lower, lower)


def brand(text: str) -> str:
    """A brand in lower case, in today's spelling."""
    lower = text.lower()
    return _LEGACY_BRANDS.get(lower, lower)


CARD_ROWS: Final = (
    Text("card_brand", ("brand",), brand),
    Text("card_last_four", ("last4",)),
    Text("card_fingerprint", ("fingerprint",)),
    Text("card_country", ("country",), str.upper),
    Text("card_funding", ("funding",), str.lower),
    Number("card_exp_month", ("exp_month",)),
    Number("card_exp_year", ("exp_year",)),
)
