"""Stripe API versions that the simulated merchants are pinned to, and how each renders an object.

Sources: docs.stripe.com/changelog and docs.stripe.com/upgrades, read 2026-11, and the shape of captured bodies.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """One API version. Version names begin with their date, so they compare as text."""

    name: str
    weight: int

    @property
    def has_payment_intents(self) -> bool:
        """Before 2019 payments were charges made directly from a card `source`."""
        return self.name >= "2019-02-11"

    @property
    def nests_charges(self) -> bool:
        """Whether a PaymentIntent lists its charges; from 2022-11-15 it names its `latest_charge` instead."""
        return self.name < "2022-11-15"

    @property
    def includes_refunds(self) -> bool:
        """Whether a charge lists its refunds; from 2022-11-15 only on request."""
        return self.name < "2022-11-15"

    @property
    def names_advice(self) -> bool:
        """Whether outcomes carry advice codes and the network's own codes (from 2024-12-18)."""
        return self.name >= "2024-12-18"

    @property
    def captures_later(self) -> bool:
        """Whether a capture completes after the answer, told by a `charge.updated` (the default from 2024-04-10)."""
        return self.name >= "2024-04-10"

    @property
    def links_invoice(self) -> bool:
        """Whether charges and PaymentIntents name their invoice; removed with 2025-03-31."""
        return self.name < "2025-03-31"

    @property
    def has_refund_events(self) -> bool:
        """Whether refunds have events of their own beside `charge.refunded` and `charge.refund.updated`."""
        return self.name >= "2024-12-18"

    @property
    def request_is_text(self) -> bool:
        """Whether an event names its request by the id alone; an object from 2017-05-25."""
        return self.name < "2017-05-25"


API_VERSIONS: tuple[ApiVersion, ...] = (
    ApiVersion("2016-07-06", weight=1),
    ApiVersion("2017-08-15", weight=1),
    ApiVersion("2020-08-27", weight=4),
    ApiVersion("2022-11-15", weight=3),
    ApiVersion("2024-12-18.acacia", weight=3),
    ApiVersion("2025-04-30.basil", weight=4),
)
