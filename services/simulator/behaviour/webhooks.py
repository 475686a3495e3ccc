"""Events as signed webhooks carry them: Stripe's bodies, made from the same stories as the history."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from services.simulator.behaviour.stories import DisputeStory, RefundStory, Story, Try
from services.simulator.behaviour.telling import Told
from services.simulator.bodies.charge import charge
from services.simulator.bodies.dispute import dispute
from services.simulator.bodies.envelope import EventIds, envelope
from services.simulator.bodies.json import JsonObject
from services.simulator.bodies.payment_intent import payment_intent
from services.simulator.bodies.refund import refund
from services.simulator.events import Event, Expected, as_bytes
from services.simulator.payments import Attempt, Dispute, Payment, Refund

_MICROS = 1_000_000
_REFUND_STATUSES = ("", "pending", "succeeded")


def webhooks(told: Iterable[Told]) -> Iterator[Event]:
    """The body of each event."""
    return (webhook(event) for event in told)


def webhook(event: Told) -> Event:
    """One event as Stripe would send it."""
    story = event.story
    payment = _payment(event)
    shown = _object(event.type, payment)
    merchant = story.seller.merchant
    ids = EventIds(event.event_id, event.request_id, None)
    return Event(
        event_id=event.event_id,
        type=event.type,
        body=as_bytes(envelope(event.type, merchant, shown, _before(event), event.at, ids)),
        expected=Expected.NORMALISED,
        payment=story.id,
        amount=shown["amount"],
        currency=story.seller.currency.code,
        merchant_id=merchant.known_as,
        arrives_at=event.processed_us / _MICROS,
    )


def _object(event_type: str, payment: Payment) -> JsonObject:
    if event_type.startswith("payment_intent."):
        return payment_intent(payment)
    if event_type.startswith("refund."):
        return refund(payment, payment.refunds[-1])
    if event_type.startswith("charge.dispute.") and payment.dispute is not None:
        return dispute(payment, payment.dispute)
    return charge(payment, payment.attempts[-1])


def _before(event: Told) -> JsonObject | None:
    """The object before its refund or dispute moved on; None for what is told for the first time."""
    if event.type == "charge.refunded":
        earlier = replace(event, refund=0)
    elif event.type == "refund.updated":
        earlier = replace(event, refund=1)
    elif event.type == "charge.dispute.closed":
        earlier = replace(event, dispute=1)
    else:
        return None
    return _object(event.type, _payment(earlier))


def _payment(event: Told) -> Payment:
    story = event.story
    attempts = tuple(_attempt(story, tried) for tried in story.tries[: event.tries])
    payment = Payment(
        id=story.id,
        merchant=story.seller.merchant,
        customer=story.customer,
        card=(story.tries[event.tries - 1] if attempts else story.tries[0]).card,
        method="card",
        amount=story.amount,
        created=story.created,
        invoice=story.invoice,
        status=_status(attempts),
        attempts=attempts,
    )
    if story.refund is not None and event.refund:
        payment = payment.refunding(_refund(story.refund, _REFUND_STATUSES[event.refund]))
    if story.dispute is not None and event.dispute:
        payment = payment.disputed(_dispute(story, story.dispute, event.dispute))
    return payment


def _status(attempts: tuple[Attempt, ...]) -> str:
    return "succeeded" if attempts and attempts[-1].decline is None else "requires_payment_method"


def _attempt(story: Story, tried: Try) -> Attempt:
    succeeded = tried.decline is None
    return Attempt(
        charge=tried.charge,
        created=tried.at,
        card=tried.card,
        status="succeeded" if succeeded else "failed",
        risk_score=tried.risk_score,
        balance_transaction=tried.balance_transaction,
        decline=tried.decline,
        network_advice_code=tried.network_advice_code,
        captured=story.amount if succeeded else 0,
    )


def _refund(given: RefundStory, status: str) -> Refund:
    return Refund(given.id, given.at, given.amount, status, given.reason, given.balance_transaction)


def _dispute(story: Story, opened: DisputeStory, stage: int) -> Dispute:
    ended = "won" if opened.won else "lost"
    return Dispute(
        id=opened.id,
        created=opened.at,
        amount=story.amount,
        status=ended if stage == 2 else "needs_response",  # noqa: PLR2004 - the last of three stages
        reason=opened.reason,
        submissions=int(stage > 1),
    )
