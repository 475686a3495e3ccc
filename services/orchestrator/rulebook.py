"""The merchants' business rules, and which of them an event breaks; pure."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from tidegate.decisions.v1.payment_decision_pb2 import RuleHit
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

EVERY_MERCHANT: Final = "*"
CUSTOMER: Final = "customer"
CARD_FINGERPRINT: Final = "card_fingerprint"


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules that can matter to some events."""

    # Kind and value, each with a merchant_id or EVERY_MERCHANT.
    blocklist: AbstractSet[tuple[str, str, str]] = field(default_factory=frozenset)
    # By merchant_id or EVERY_MERCHANT, and currency: the largest amount in the currency's minor unit.
    limits: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def broken_by(self, event: UnifiedPaymentEvent) -> Sequence[RuleHit]:
        """Rules that the event breaks, blocklist first."""
        return [*self._blocked(event), *self._over_limit(event)]

    def _blocked(self, event: UnifiedPaymentEvent) -> Iterator[RuleHit]:
        for kind, value in identities(event):
            if any((kind, value, merchant) in self.blocklist for merchant in (event.merchant_id, EVERY_MERCHANT)):
                what = kind.replace("_", " ")
                yield RuleHit(rule_id=f"blocklist.{kind}", description=f"the {what} is on the blocklist")

    def _over_limit(self, event: UnifiedPaymentEvent) -> Iterator[RuleHit]:
        for merchant in (event.merchant_id, EVERY_MERCHANT):
            limit = self.limits.get((merchant, event.currency))
            if limit is not None:
                if event.amount_cents > limit:
                    yield RuleHit(
                        rule_id="merchant_limit.amount",
                        description=f"the amount is above the limit of {limit} in {event.currency}'s minor unit",
                    )
                return  # a merchant's own limit goes before the one for all


def identities(event: UnifiedPaymentEvent) -> Sequence[tuple[str, str]]:
    """What of an event can be on the blocklist, as kind and value."""
    known = ((CUSTOMER, event.customer_id), (CARD_FINGERPRINT, event.card_fingerprint))
    return [(kind, value) for kind, value in known if value]
