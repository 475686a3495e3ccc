"""Declines by Stripe's decline code, with what network and provider advise.

Codes: Stripe's list of decline codes (docs.stripe.com/declines/codes, read 2026-11). Network response codes: ISO 8583
as the networks use it, Amex by its own three digits; merchant advice codes: Mastercard's list as acquirers publish it
(both second hand). Weights follow the published mix of recurring declines only roughly: mostly generic, then funds,
then the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

CONFIRM, NEVER, LATER = "confirm_card_data", "do_not_try_again", "try_again_later"
_DECLINED = "Your card was declined."


@dataclass(frozen=True, slots=True)
class Decline:
    """One way for an attempt to fail. `advice_codes` are Mastercard's merchant advice codes; one is sent along."""

    code: str
    network: str | None
    weight: int
    advice: str | None = None
    advice_codes: tuple[str, ...] = ()
    # Stripe's error code; for most declines the general one.
    error: str = "card_declined"
    error_type: str = "card_error"
    # Whether Stripe states the decline code beside the error code.
    states_code: bool = True
    message: str = _DECLINED
    outcome: str = "issuer_declined"
    # Brands that decline this way; empty for all.
    brands: tuple[str, ...] = ()
    # Where a brand's response code differs from `network`.
    network_by_brand: Mapping[str, str] = field(default_factory=dict)
    # Stripe's own reason on the outcome, where it is not the decline code.
    outcome_reason: str | None = None

    @property
    def decline_code(self) -> str | None:
        """The decline code as Stripe states it."""
        return self.code if self.states_code else None

    def network_code(self, brand: str) -> str | None:
        """The network's response code for a card of this brand; None when the attempt never reached the network."""
        return self.network_by_brand.get(brand, self.network)

    @property
    def reached_network(self) -> bool:
        """Whether the issuer was asked at all."""
        return self.network is not None


def _amex(code: str) -> Mapping[str, str]:
    return {"amex": code}


DECLINES: tuple[Decline, ...] = (
    # The issuer does not say why.
    Decline("generic_decline", "05", 260, LATER, ("02", "03"), network_by_brand=_amex("100")),
    Decline("do_not_honor", "05", 220, LATER, ("02", "03"), network_by_brand=_amex("100")),
    Decline("call_issuer", "01", 14, None, ("02",), network_by_brand=_amex("107")),
    Decline("no_action_taken", "21", 4, LATER),
    Decline("not_permitted", "57", 6, NEVER, ("03",)),
    Decline("do_not_try_again", "05", 10, NEVER, ("03",)),
    # Money and limits.
    Decline(
        "insufficient_funds",
        "51",
        190,
        LATER,
        ("02", "24", "25", "26", "27", "28", "29", "30"),
        message="Your card has insufficient funds.",
        network_by_brand=_amex("116"),
    ),
    Decline(
        "card_velocity_exceeded",
        "65",
        16,
        LATER,
        ("02", "25"),
        message="Your card was declined for making repeated attempts too frequently.",
    ),
    Decline("withdrawal_count_limit_exceeded", "65", 8, LATER, ("02",), network_by_brand={"visa": "61"}),
    Decline("invalid_amount", "13", 3, None, network_by_brand=_amex("110")),
    # Issuer or network trouble.
    Decline("try_again_later", "91", 34, LATER, ("02", "24")),
    Decline("issuer_not_available", "91", 22, LATER, ("02", "24"), network_by_brand=_amex("912")),
    Decline("reenter_transaction", "19", 8, LATER, ("24",)),
    Decline("approve_with_id", "08", 2, LATER),
    Decline(
        "processing_error",
        "96",
        18,
        LATER,
        error="processing_error",
        message="An error occurred while processing your card. Try again in a little bit.",
    ),
    # Card data.
    Decline(
        "expired_card",
        "54",
        40,
        CONFIRM,
        ("01",),
        error="expired_card",
        message="Your card has expired.",
        network_by_brand=_amex("101"),
    ),
    Decline(
        "incorrect_cvc",
        "N7",
        18,
        CONFIRM,
        error="incorrect_cvc",
        message="Your card's security code is incorrect.",
        network_by_brand={"mastercard": "63", "amex": "122"},
    ),
    Decline("invalid_cvc", "82", 4, CONFIRM, error="invalid_cvc", message="Your card's security code is invalid."),
    Decline(
        "incorrect_zip", "05", 6, CONFIRM, error="incorrect_zip", message="The zip code you supplied failed validation."
    ),
    Decline(
        "incorrect_number",
        None,
        5,
        CONFIRM,
        error="incorrect_number",
        message="Your card number is incorrect.",
        outcome="invalid",
        states_code=False,
    ),
    Decline(
        "invalid_number",
        "14",
        14,
        CONFIRM,
        ("01", "03"),
        error="invalid_number",
        message="Your card number is invalid.",
        network_by_brand=_amex("111"),
    ),
    Decline(
        "invalid_expiry_month",
        None,
        2,
        CONFIRM,
        error="invalid_expiry_month",
        message="Your card's expiration month is invalid.",
        outcome="invalid",
    ),
    Decline(
        "invalid_expiry_year",
        None,
        2,
        CONFIRM,
        error="invalid_expiry_year",
        message="Your card's expiration year is invalid.",
        outcome="invalid",
    ),
    Decline("new_account_information_available", "05", 8, CONFIRM, ("01",), brands=("mastercard",)),
    Decline("incorrect_pin", "55", 1, None),
    Decline("invalid_pin", "55", 1, None),
    Decline("pin_try_exceeded", "75", 2, NEVER),
    Decline("offline_pin_required", "1A", 1, None, network_by_brand={"mastercard": "65"}),
    Decline("online_or_offline_pin_required", "1A", 1, None, network_by_brand={"mastercard": "65"}),
    # The cardholder must authenticate.
    Decline(
        "authentication_required",
        "1A",
        30,
        None,
        error="authentication_required",
        message="Your card was declined. This transaction requires authentication.",
        network_by_brand={"mastercard": "65", "amex": "130"},
    ),
    # Never to be tried again.
    Decline("lost_card", "41", 10, NEVER, ("03",), network_by_brand=_amex("200")),
    Decline("stolen_card", "43", 10, NEVER, ("03",), network_by_brand=_amex("200")),
    Decline("pickup_card", "04", 8, NEVER, ("03",), network_by_brand=_amex("200")),
    Decline("restricted_card", "62", 8, NEVER, ("03",)),
    Decline("invalid_account", "14", 14, NEVER, ("01", "03"), network_by_brand={"mastercard": "46", "amex": "111"}),
    Decline(
        "revocation_of_authorization",
        "R1",
        6,
        NEVER,
        ("21",),
        network_by_brand={"mastercard": "05"},
        brands=("visa", "mastercard"),
    ),
    Decline(
        "revocation_of_all_authorizations",
        "R3",
        4,
        NEVER,
        ("21",),
        network_by_brand={"mastercard": "05"},
        brands=("visa", "mastercard"),
    ),
    Decline(
        "stop_payment_order",
        "R0",
        6,
        NEVER,
        ("21",),
        network_by_brand={"mastercard": "05"},
        brands=("visa", "mastercard"),
    ),
    # Suspected fraud.
    Decline("fraudulent", "59", 18, NEVER, ("03",), network_by_brand=_amex("100")),
    Decline("fraudulent", None, 14, NEVER, outcome="blocked", outcome_reason="highest_risk_level"),
    Decline("merchant_blacklist", None, 3, NEVER, outcome="blocked", outcome_reason="rule"),
    Decline("security_violation", "63", 4, NEVER),
    # The card or account does not allow this kind of payment.
    Decline("transaction_not_allowed", "57", 26, NEVER, ("03",), network_by_brand=_amex("115")),
    Decline(
        "card_not_supported",
        "57",
        10,
        NEVER,
        ("03", "40", "41"),
        message="Your card does not support this type of purchase.",
    ),
    Decline("currency_not_supported", "57", 3, NEVER, network_by_brand=_amex("183")),
    Decline("service_not_allowed", "58", 6, NEVER, ("03",)),
    Decline(
        "duplicate_transaction",
        "94",
        3,
        None,
        message="A transaction with identical amount and card information was submitted very recently.",
    ),
    Decline(
        "testmode_decline",
        None,
        1,
        None,
        outcome="invalid",
        message="Your card was declined. Your request was in test mode, but used a non test card.",
    ),
)

# What Stripe says when the cardholder fails or leaves 3-D Secure.
FAILED_AUTHENTICATION = Decline(
    "authentication_required",
    None,
    0,
    error="payment_intent_authentication_failure",
    error_type="invalid_request_error",
    states_code=False,
    message="The provided PaymentMethod has failed authentication. You can provide a new PaymentMethod to try again.",
    outcome="invalid",
)

# What Stripe says when a direct debit comes back unpaid.
RETURNED_DEBIT = Decline(
    "insufficient_funds",
    None,
    0,
    error="insufficient_funds",
    states_code=False,
    message="The customer's account has insufficient funds to cover this payment.",
    outcome="invalid",
)
