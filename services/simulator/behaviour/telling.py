"""Which webhooks tell of a payment: their types, when each happens and arrives, and how the payment then looks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from services.simulator.behaviour.assumptions import Population
from services.simulator.behaviour.draws import EVENTS, Draws
from services.simulator.behaviour.stories import Story

_DELIVERY_SECONDS: Final = 2
_MICROS: Final = 1_000_000


@dataclass(slots=True)
class Told:
    """One webhook. The payment is shown with its first `tries`, and its refund and dispute so far along."""

    type: str
    story: Story
    at: int
    tries: int
    # 0: none yet. 1: refund pending. 2: refunded.
    refund: int
    # 0: none yet. 1: open. 2: closed.
    dispute: int
    event_id: str = ""
    request_id: str = ""
    receipt_id: str = ""
    # When Tidegate has normalised it, microseconds since 1970.
    processed_us: int = 0


def tell(stories: Iterable[Story], seed: int, number: int, rates: Population, end: int) -> list[Told]:
    """The events of an entity's payments before the end of the period; not sorted by time."""
    draws = Draws(seed, EVENTS, number)
    told = [event for story in stories for event in _events(story) if event.at < end]
    for event in told:
        delay_us = int((_DELIVERY_SECONDS * (0.2 + 1.6 * draws.uniform())) * _MICROS)
        if draws.chance(rates.late_events):
            delay_us += int(draws.exponential(rates.late_hours * 3600) * _MICROS)
        event.event_id, event.request_id = draws.id("evt"), draws.id("req")
        event.receipt_id = draws.hexadecimal(32)
        event.processed_us = event.at * _MICROS + delay_us
    return told


def _events(story: Story) -> Iterator[Told]:
    both = story.seller.both_objects
    if both:
        yield Told("payment_intent.created", story, story.created, 0, 0, 0)
    for number, tried in enumerate(story.tries, start=1):
        succeeded = tried.decline is None
        yield Told("charge.succeeded" if succeeded else "charge.failed", story, tried.at, number, 0, 0)
        if both:
            name = "payment_intent.succeeded" if succeeded else "payment_intent.payment_failed"
            yield Told(name, story, tried.at, number, 0, 0)
    yield from _refunded(story)
    if story.dispute is not None:
        yield Told("charge.dispute.created", story, story.dispute.at, len(story.tries), 0, 1)
        yield Told("charge.dispute.closed", story, story.dispute.closed_at, len(story.tries), 0, 2)


def _refunded(story: Story) -> Iterator[Told]:
    if story.refund is None:
        return
    tries = len(story.tries)
    own_events = story.seller.version.has_refund_events
    if own_events:
        yield Told("refund.created", story, story.refund.at, tries, 1, 0)
    yield Told("charge.refunded", story, story.refund.at, tries, 1 if own_events else 2, 0)
    if own_events:
        yield Told("refund.updated", story, story.refund.settled_at, tries, 2, 0)
