"""The failed attempts before an event on its card, from the events that came before it; as storage finds them. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, TypeAlias

from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from workflows.payment_event.attempts import (
    FAILED,
    LOOKBACK_HOURS,
    MOST_ROWS,
    FailedEvent,
    earlier_attempts,
    failed_event,
)
from workflows.payment_event.ports import EarlierAttempts

_Way: TypeAlias = tuple[object, ...]
_LOOKBACK: Final = timedelta(hours=LOOKBACK_HOURS)


class KnownFailures:
    """Grows with every event that is told of; `before` knows those told so far."""

    def __init__(self) -> None:
        self._known: defaultdict[_Way, list[FailedEvent]] = defaultdict(list)

    def note(self, event: UnifiedPaymentEvent) -> None:
        """An event has come; only failures are kept."""
        if event.event_type == FAILED:
            told = failed_event(event)
            for way in _ways(told):
                self._known[way].append(told)

    def before(self, event: UnifiedPaymentEvent) -> EarlierAttempts:
        """The attempts that count against the card of this event."""
        asked = failed_event(event)
        found = {each.event_id: each for way in _ways(asked) for each in self._newest(way, asked)}
        return earlier_attempts(asked, found.values())

    def _newest(self, way: _Way, asked: FailedEvent) -> list[FailedEvent]:
        until = asked.provider_created_at
        near = [each for each in self._known.get(way, ()) if until - _LOOKBACK <= each.provider_created_at <= until]
        near.sort(key=lambda each: (each.provider_created_at, each.event_id), reverse=True)
        return near[:MOST_ROWS]


def _ways(event: FailedEvent) -> Iterator[_Way]:
    """The four ways to find an event's card (services/orchestrator/adapters/attempts.py)."""
    of = (event.provider, event.livemode)
    if event.card_fingerprint:
        yield "amount", *of, event.card_fingerprint, event.amount_cents, event.currency
        yield "card", *of, event.card_fingerprint
    yield "payment", *of, event.payment_id
    if event.customer_id:
        yield "customer", *of, event.merchant_id, event.customer_id
