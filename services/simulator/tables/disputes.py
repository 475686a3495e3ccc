"""Why cardholders dispute, with the networks' reason codes.

Source: docs.stripe.com/disputes/reason-codes-defense-requirements, read 2026-11; weights are plausible, not measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DisputeReason:
    """One reason in Stripe's words with the code each network has for it."""

    code: str
    network_codes: Mapping[str, str]
    weight: int
    merchant_wins_percent: int

    def network_code(self, brand: str) -> str | None:
        """The network's reason code; None where the table has none for the brand."""
        return self.network_codes.get(brand)


DISPUTE_REASONS: tuple[DisputeReason, ...] = (
    DisputeReason("fraudulent", {"visa": "10.4", "mastercard": "4837", "amex": "F29", "discover": "UA02"}, 50, 20),
    DisputeReason(
        "product_not_received", {"visa": "13.1", "mastercard": "4853", "amex": "C08", "discover": "RG"}, 16, 40
    ),
    DisputeReason(
        "subscription_canceled", {"visa": "13.2", "mastercard": "4853", "amex": "C28", "discover": "AP"}, 14, 35
    ),
    DisputeReason(
        "product_unacceptable", {"visa": "13.3", "mastercard": "4853", "amex": "C31", "discover": "RM"}, 8, 40
    ),
    DisputeReason(
        "credit_not_processed", {"visa": "13.6", "mastercard": "4853", "amex": "C02", "discover": "RN2"}, 6, 45
    ),
    DisputeReason("duplicate", {"visa": "12.6", "mastercard": "4834", "amex": "P08", "discover": "DP"}, 4, 50),
    DisputeReason("general", {}, 2, 30),
)
