"""What happened to one payment: its tries, refund and dispute, and what only the world knows of it."""

from dataclasses import dataclass, field
from typing import Literal

from services.simulator.behaviour.curves import Curve
from services.simulator.behaviour.population import Seller
from services.simulator.tables.declines import Decline
from services.simulator.tables.disputes import DisputeReason
from services.simulator.world import Card, Customer

Kind = Literal["cycle", "purchase", "attack"]
Scenario = Literal["card_testing", "account_takeover", "high_amount"]
# Who caused a try: the billing date, the logging policy, the customer (with a new card), or a fraudster.
By = Literal["schedule", "policy", "customer", "fraudster"]
Outcome = Literal["stopped", "succeeded", "failed", "overtaken", "after_end"]


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt. `probability`: the true chance that it had."""

    charge: str
    at: int
    card: Card
    decline: Decline | None
    network_advice_code: str | None
    risk_score: int
    balance_transaction: str
    by: By
    probability: float
    cause: str | None


@dataclass(slots=True)
class Decision:
    """What the logging policy chose after a failed try, with its chance of choosing so.

    `wait_hours`: None for a stop. `propensity` is that of the bucket of waits, `propensity_hour` that of the very hour.
    """

    decided_at: int
    attempt_number: int
    failure_code: str
    bucket: str
    propensity: float
    wait_hours: int | None
    propensity_hour: float
    retry_at: int | None
    probability: float | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RefundStory:
    """Money given back."""

    id: str
    at: int
    settled_at: int
    amount: int
    reason: str | None
    balance_transaction: str


@dataclass(frozen=True, slots=True)
class DisputeStory:
    """A charge contested, and how it ended."""

    id: str
    at: int
    closed_at: int
    reason: DisputeReason
    won: bool


@dataclass(slots=True)
class Story:
    """One payment over its life. `amount` in Stripe's minor unit, which is ISO 4217's for every currency sold in."""

    id: str
    seller: Seller
    customer: Customer | None
    kind: Kind
    created: int
    amount: int
    usd_cents: int
    invoice: str | None
    scenario: Scenario | None = None
    curve: Curve | None = None
    ask_propensity: float | None = None
    tries: list[Try] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    refund: RefundStory | None = None
    dispute: DisputeStory | None = None

    @property
    def succeeded_at(self) -> int | None:
        """When the money was collected; None where it never was."""
        last = self.tries[-1]
        return last.at if last.decline is None else None

    @property
    def failed_at_first(self) -> bool:
        """Whether the first try was declined."""
        return self.tries[0].decline is not None

    @property
    def declined_at(self) -> list[int]:
        """When each decline came."""
        return [one.at for one in self.tries if one.decline is not None]


Leaving = Literal["voluntary", "involuntary"]


@dataclass(slots=True)
class Life:
    """One customer over the period, with the payments and why it ended."""

    customer: Customer
    seller: Seller
    subscribes: bool
    annual: bool
    joined_at: int
    price_usd_cents: int
    pay_rhythm: str
    stories: list[Story] = field(default_factory=list)
    # Engagement at the start of each 30 days since joining or the start of the period, whichever is later.
    engagement: list[float] = field(default_factory=list)
    left_at: int | None = None
    leaving: Leaving | None = None
