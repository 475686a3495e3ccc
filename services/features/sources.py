"""The topics that features are made from, and the message each of them holds."""

from dataclasses import dataclass
from typing import Final

GROUP: Final = "features"


@dataclass(frozen=True, slots=True)
class Topics:
    """Where features come from. A deployment has one set; tests on a shared broker have their own."""

    # UnifiedPaymentEvent.
    normalized: str
    # PaymentDecision, for its fraud score.
    decisions: str
    group: str = GROUP


TOPICS: Final = Topics(normalized="payments.normalized", decisions="payments.decisions")
