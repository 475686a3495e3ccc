"""The words in which features speak when they are the reason for an answer."""

from types import MappingProxyType
from typing import Final

from mlops.features.catalog import FEATURES
from mlops.registry.artifact import ReasonText

_OWN_WORDS: Final = MappingProxyType(
    {
        "amount_usd": "the amount is about USD {value}",
        "provider_risk_score": "the provider's risk score is {value}",
        "card_prepaid": "prepaid card (1 is yes): {value}",
        "card_debit": "debit card (1 is yes): {value}",
        "card_foreign": "card issued where the currency is not used (1 is yes): {value}",
        "card_months_left": "months until the card expires: {value}",
        "recurring": "belongs to a subscription (1 is yes): {value}",
        "guest": "no known customer (1 is yes): {value}",
        "failed": "the attempt failed (1 is yes): {value}",
        "hour_utc": "hour of the day, UTC: {value}",
    }
)


def reason_texts() -> dict[str, ReasonText]:
    """The catalog's features, and what a payment shows by itself; by name."""
    own = {name: ReasonText(f"payment.{name}", words) for name, words in _OWN_WORDS.items()}
    views = {
        each.name: ReasonText(f"{each.view.removesuffix('_stats')}.{each.name}", _said(each.description, each.window))
        for each in FEATURES
    }
    return own | views


def _said(description: str, window: str) -> str:
    """A catalog's sentence with the value behind it; its finer points after a semicolon are for engineers."""
    sentence = description.partition(";")[0].rstrip(".")
    return f"{sentence} ({window}): {{value}}"
