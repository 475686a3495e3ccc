"""How Stripe shows a card, and what the issuer said about it."""

from services.simulator.bodies.json import JsonObject
from services.simulator.payments import Attempt
from services.simulator.tables.api_versions import ApiVersion
from services.simulator.world import Card, Customer

_LEGACY_BRANDS = {
    "visa": "Visa",
    "mastercard": "MasterCard",
    "amex": "American Express",
    "discover": "Discover",
    "jcb": "JCB",
}
_HIGHEST_RISK, _ELEVATED_RISK = 75, 65


def billing_details(customer: Customer | None) -> JsonObject:
    """Who is billed; guests leave no more than an empty address."""
    address = {
        "city": None,
        "country": customer and customer.country,
        "line1": None,
        "line2": None,
        "postal_code": None,
        "state": None,
    }
    return {"address": address, "email": customer and customer.email, "name": customer and customer.name, "phone": None}


def payment_method_details(card: Card, method: str) -> JsonObject:
    """How a charge was paid."""
    if method != "card":
        return {method: _bank_account(card), "type": method}
    shown = {
        "amount_authorized": None,
        "brand": card.issuer.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.issuer.country,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": card.last4,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card.issuer.brand,
        "network_token": {"used": False},
        "overcapture": {"status": "unavailable"},
        "three_d_secure": None,
        "wallet": None,
    }
    return {"card": shown, "type": "card"}


def payment_method(card: Card, customer: Customer | None, created: int, method: str) -> JsonObject:
    """The payment method object."""
    return {
        "id": card.payment_method,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(customer),
        **_of_method(card, method),
        "created": created,
        "customer": customer and customer.id,
        "livemode": False,
        "metadata": {},
        "type": method,
    }


def legacy_source(card: Card, customer: Customer | None) -> JsonObject:
    """The card a direct charge was made from, in API versions before payment methods."""
    return {
        "id": card.payment_method.replace("pm_", "card_", 1),
        "object": "card",
        "address_city": None,
        "address_country": None,
        "address_line1": None,
        "address_line1_check": None,
        "address_line2": None,
        "address_state": None,
        "address_zip": None,
        "address_zip_check": None,
        "brand": _LEGACY_BRANDS[card.issuer.brand],
        "country": card.issuer.country,
        "customer": customer and customer.id,
        "cvc_check": "pass",
        "dynamic_last4": None,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "last4": card.last4,
        "metadata": {},
        "name": customer and customer.name,
        "tokenization_method": None,
    }


def outcome(attempt: Attempt, version: ApiVersion) -> JsonObject:
    """What issuer, network and Stripe said about an attempt."""
    decline = attempt.decline
    shown: JsonObject = {
        "network_status": "approved_by_network"
        if decline is None
        else ("declined_by_network" if decline.reached_network else "not_sent_to_network"),
        "reason": None if decline is None else (decline.outcome_reason or decline.code),
        "risk_level": risk_level(attempt.risk_score),
        "risk_score": attempt.risk_score,
        "seller_message": "Payment complete." if decline is None else "The bank returned the decline code.",
        "type": "authorized" if decline is None else decline.outcome,
    }
    return {**shown, **advice(attempt)} if version.names_advice else shown


def advice(attempt: Attempt) -> JsonObject:
    """The codes that say what to do next; all null on success."""
    decline = attempt.decline
    return {
        "advice_code": decline and decline.advice,
        "network_advice_code": attempt.network_advice_code,
        "network_decline_code": decline and decline.network_code(attempt.card.issuer.brand),
    }


def risk_level(score: int) -> str:
    """Radar's level for a score of 0 to 99."""
    if score >= _HIGHEST_RISK:
        return "highest"
    return "elevated" if score >= _ELEVATED_RISK else "normal"


def _of_method(card: Card, method: str) -> JsonObject:
    if method != "card":
        return {method: _bank_account(card)}
    shown = {
        "brand": card.issuer.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.issuer.country,
        "display_brand": card.issuer.brand,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.issuer.brand], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return {"card": shown}


def _bank_account(card: Card) -> JsonObject:
    return {
        "bank_code": "37040044",
        "branch_code": None,
        "country": card.issuer.country,
        "fingerprint": card.fingerprint,
        "last4": card.last4,
        "mandate": f"mandate_{card.fingerprint}",
    }
