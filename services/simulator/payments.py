"""A simulated payment and how each thing that happens to it changes it. Amounts are in Stripe's minor unit."""

from dataclasses import dataclass, replace

from services.simulator.tables.declines import Decline
from services.simulator.tables.disputes import DisputeReason
from services.simulator.world import Card, Customer, Merchant


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to collect the money: Stripe's charge. `charge` is None where the try ended before a charge was made."""

    charge: str | None
    created: int
    card: Card
    status: str
    risk_score: int
    balance_transaction: str
    decline: Decline | None = None
    # Mastercard's merchant advice code on a decline.
    network_advice_code: str | None = None
    captured: int = 0
    # Whether the capture is on the balance yet.
    booked: bool = True


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back on the last attempt."""

    id: str
    created: int
    amount: int
    status: str
    reason: str | None
    balance_transaction: str
    failure_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """The last attempt contested."""

    id: str
    created: int
    amount: int
    status: str
    reason: DisputeReason
    submissions: int = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment over its whole life. Direct payments are charges without a PaymentIntent (old API versions)."""

    id: str
    merchant: Merchant
    customer: Customer | None
    card: Card
    method: str
    amount: int
    created: int
    capture_method: str = "automatic"
    direct: bool = False
    invoice: str | None = None
    status: str = "requires_payment_method"
    cancellation_reason: str | None = None
    attempts: tuple[Attempt, ...] = ()
    refunds: tuple[Refund, ...] = ()
    dispute: Dispute | None = None
    expired: bool = False

    @property
    def currency(self) -> str:
        """As Stripe writes it: lower case."""
        return self.merchant.currency.code

    @property
    def last_attempt(self) -> Attempt | None:
        """The newest try; None before the first."""
        return self.attempts[-1] if self.attempts else None

    @property
    def amount_received(self) -> int:
        """Collected so far."""
        return self.last_attempt.captured if self.last_attempt else 0

    @property
    def amount_refunded(self) -> int:
        """Given back so far; a failed refund gives nothing back."""
        return sum(refund.amount for refund in self.refunds if refund.status in {"succeeded", "pending"})

    @property
    def metadata(self) -> dict[str, str]:
        """The merchant's own key/value pairs."""
        own = {"order_id": self.id[-8:]}
        return own if self.merchant.merchant_id is None else {**own, "merchant_id": self.merchant.merchant_id}

    def waiting(self) -> "Payment":
        """The cardholder has to authenticate."""
        return replace(self, status="requires_action")

    def tried(self, attempt: Attempt) -> "Payment":
        """A further attempt was made."""
        return replace(self, status=_after(attempt, self.capture_method), attempts=(*self.attempts, attempt))

    def answered(self, attempt: Attempt) -> "Payment":
        """The bank has answered the pending last attempt."""
        return replace(self, status=_after(attempt, self.capture_method), attempts=(*self.attempts[:-1], attempt))

    def captured(self) -> "Payment":
        """The authorised money was collected."""
        return replace(
            self, status="succeeded", attempts=(*self.attempts[:-1], replace(self.attempts[-1], captured=self.amount))
        )

    def booked(self) -> "Payment":
        """The capture has reached the merchant's balance."""
        return replace(self, attempts=(*self.attempts[:-1], replace(self.attempts[-1], booked=True)))

    def canceled(self, reason: str) -> "Payment":
        """Given up."""
        return replace(self, status="canceled", cancellation_reason=reason)

    def run_out(self) -> "Payment":
        """The authorisation was never captured and has expired."""
        return replace(self, expired=True)

    def refunding(self, refund: Refund) -> "Payment":
        """A refund was made."""
        return replace(self, refunds=(*self.refunds, refund))

    def refund_ended(self, status: str, failure_reason: str | None = None) -> "Payment":
        """The last refund came to its end."""
        return replace(
            self, refunds=(*self.refunds[:-1], replace(self.refunds[-1], status=status, failure_reason=failure_reason))
        )

    def disputed(self, dispute: Dispute) -> "Payment":
        """The dispute was opened or has moved on."""
        return replace(self, dispute=dispute)


def _after(attempt: Attempt, capture_method: str) -> str:
    if attempt.status == "failed":
        return "requires_payment_method"
    if attempt.status == "pending":
        return "processing"
    return "requires_capture" if capture_method == "manual" and not attempt.captured else "succeeded"
