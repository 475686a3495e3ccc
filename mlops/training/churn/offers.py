"""What keeping a customer is worth, and from which probability of leaving on which offer pays."""

from dataclasses import dataclass
from typing import Final

MEDIUM: Final = "medium"
HIGH: Final = "high"


@dataclass(frozen=True, slots=True)
class Offers:
    """In cents, for each customer that is reached, and in shares of those leaving who stay for it."""

    worth: int
    """Of a customer who stays, until it would leave again."""
    message: int
    message_keeps: float
    offer: int
    offer_keeps: float

    def thresholds(self) -> dict[str, float]:
        """Return the calibrated probabilities from which a message pays, and from which an offer pays more.

        At probability p, a message brings `p * message_keeps * worth - message`, an offer the same with its own.
        """
        medium = self.message / (self.message_keeps * self.worth)
        high = (self.offer - self.message) / ((self.offer_keeps - self.message_keeps) * self.worth)
        return {MEDIUM: min(medium, high), HIGH: high}


OFFERS: Final = Offers(worth=15_000, message=100, message_keeps=0.07, offer=1_000, offer_keeps=0.25)
"""A message costs a few unsubscriptions; an offer is about half a month's price, given to those who would stay too.
Worth is about ten months of what a customer pays. Assumptions: put your own."""
