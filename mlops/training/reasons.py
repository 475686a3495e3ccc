"""The words in which features speak when they are the reason for an answer."""

from types import MappingProxyType
from typing import Final

from mlops.features.catalog import FEATURES
from mlops.registry.artifact import ReasonText

_OWN_WORDS: Final = MappingProxyType(
    {
        "amount_usd": "the amount is about USD {value}",
        "provider_risk_score": "the provider's risk score is {value} of 100",
        "card_prepaid": "prepaid card: {yes}",
        "card_debit": "debit card: {yes}",
        "card_foreign": "card from a country that does not use the currency: {yes}",
        "card_months_left": "the card expires in {value} months",
        "recurring": "belongs to a subscription: {yes}",
        "guest": "no known customer: {yes}",
        "failed": "the attempt failed: {yes}",
        "hour_utc": "it is {value} o'clock UTC",
    }
)
_WINDOWS: Final = MappingProxyType(
    {"1h": "an hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
)
# By what is left of a name without its window, which stands at {window}.
_CATALOG_WORDS: Final = MappingProxyType(
    {
        "total_payments": "attempts of the customer in {window}: {value}",
        "failed_payments": "failed attempts of the customer in {window}: {value}",
        "succeeded_payments": "successful payments of the customer in {window}: {value}",
        "decline_rate": "of the customer's attempts in {window}, failed: {percent}",
        "insufficient_funds_declines": "declines of the customer for lack of funds in {window}: {value}",
        "hard_declines": "declines of the customer that forbid another try in {window}: {value}",
        "fraud_declines": "declines of the customer as suspected fraud in {window}: {value}",
        "failures_in_a_row": "failures of the customer in a row: {value}",
        "distinct_cards": "cards that the customer tried in {window}: {value}",
        "amount_zscore": "standard deviations above the customer's usual amount: {value}",
        "amount_avg": "mean amount of the customer in {window}, minor units: {value}",
        "amount_max": "largest amount of the customer in {window}, minor units: {value}",
        "days_since_last_success": "days since the customer last paid: {value}",
        "days_since_last_failure": "days since an attempt of the customer last failed: {value}",
        "days_since_first_payment": "days since the customer was first seen: {value}",
        "hours_since_previous_payment": "hours since the customer's attempt before: {value}",
        "success_interval_days": "days between the customer's payments on average: {value}",
        "fraud_score_avg": "mean fraud score of the customer in {window}: {value}",
        "fraud_score_max": "highest fraud score of the customer in {window}: {value}",
        "refunded_payments": "refunds of the customer in {window}: {value}",
        "disputed_payments": "disputes of the customer in {window}: {value}",
        "card_attempts": "attempts on the card in {window}: {value}",
        "card_failed": "failed attempts on the card in {window}: {value}",
        "card_decline_rate": "of the card's attempts in {window}, failed: {percent}",
        "card_hard_declines": "declines of the card that forbid another try in {window}: {value}",
        "card_failures_in_a_row": "failures of the card in a row: {value}",
        "card_distinct_customers": "customers who tried the card in {window}: {value}",
        "card_distinct_amounts": "amounts tried on the card in {window}: {value}",
        "card_same_amount_attempts": "attempts on the card for this amount in {window}: {value}",
        "card_days_since_last_success": "days since the card last paid: {value}",
        "card_days_since_first_attempt": "days since the card was first seen: {value}",
        "card_hours_since_previous_attempt": "hours since the card's attempt before: {value}",
        "merchant_attempts": "attempts at the merchant in {window}: {value}",
        "merchant_decline_rate": "of the merchant's attempts in {window}, failed: {percent}",
        "merchant_fraud_decline_rate": "of the merchant's attempts in {window}, declined as fraud: {percent}",
        "merchant_refund_rate": "of the merchant's payments in {window}, refunded: {percent}",
        "merchant_dispute_rate": "of the merchant's payments in {window}, disputed: {percent}",
        "merchant_days_since_first_payment": "days since the merchant was first seen: {value}",
        "merchant_days_known": "days that the merchant is known, no more than 30: {value}",
    }
)


def reason_texts() -> dict[str, ReasonText]:
    """The catalog's features, and what a payment shows by itself; by name."""
    own = {name: ReasonText(f"payment.{name}", words) for name, words in _OWN_WORDS.items()}
    views = {
        each.name: ReasonText(f"{each.view.removesuffix('_stats')}.{each.name}", _words(each.name, each.window))
        for each in FEATURES
    }
    return own | views


def _words(name: str, window: str) -> str:
    said = _CATALOG_WORDS[name.removesuffix(f"_{window}")]
    return said.replace("{window}", _WINDOWS.get(window, window))
