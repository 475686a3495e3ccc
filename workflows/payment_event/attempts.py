"""Which failed events tell of one attempt, and which attempts lie before an event on its card; pure.

What identifies an attempt is in docs/adr/0007-attempts.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.ingress.v1.receipt_pb2 import Provider
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from workflows.payment_event.ports import EarlierAttempts
from workflows.storage import text

# The type of the events that are counted.
FAILED: Final = "payment.failed"
# Objects that live through several attempts, by provider and the prefix of their ids; any other object is one attempt.
# Source: docs.stripe.com/api/payment_intents ("tries a charge each time it is confirmed"), read 2026-11.
_SEVERAL_ATTEMPTS: Final[Mapping[str, tuple[str, ...]]] = {"stripe": ("pi_",)}
# How far apart a provider dates its two events about one attempt (charge.failed and payment_intent.payment_failed:
# mostly in one second). Tries of one payment are farther apart but for a customer in haste, whose tries then are still
# told apart by their charges.
_ONE_ATTEMPT: Final = timedelta(seconds=5)
# The longest window of a budget in services/inference/network_rules.yaml, its edges included: 180 days.
LOOKBACK_HOURS: Final = 4320
# Most events looked at for one event by each of the four ways to find its card. Two events may tell of one attempt, and
# the largest budget is 35.
MOST_ROWS: Final = 100
# Most attempts that a question may name, by its contract.
MOST_ATTEMPTS: Final = 200

_PREFIX: Final = "PROVIDER_"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """What an event of a failed payment says about its attempt; None is what it leaves open."""

    event_id: str
    provider: str
    payment_id: str
    provider_object_id: str
    provider_created_at: datetime
    livemode: bool
    amount_cents: int
    currency: str
    merchant_id: str
    customer_id: str | None
    payment_method_type: str | None
    card_fingerprint: str | None
    card_last_four: str | None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The events about one attempt."""

    events: Sequence[FailedEvent]

    @property
    def at(self) -> datetime:
        """The latest that is said: an attempt is never taken for older than it is."""
        return max(event.provider_created_at for event in self.events)

    def was_for(self, event: FailedEvent) -> bool:
        return any(
            (other.amount_cents, other.currency) == (event.amount_cents, event.currency) for other in self.events
        )


def failed_event(event: UnifiedPaymentEvent) -> FailedEvent:
    """The event as storage keeps it: its time to the microsecond. OverflowError beyond the calendar."""
    return FailedEvent(
        event_id=event.event_id,
        provider=Provider.Name(event.provider).removeprefix(_PREFIX).lower(),
        payment_id=event.payment_id,
        provider_object_id=text(event.provider_object_id),
        provider_created_at=_EPOCH + timedelta(microseconds=_microseconds(event.provider_created_at)),
        livemode=event.livemode,
        amount_cents=event.amount_cents,
        currency=event.currency,
        merchant_id=text(event.merchant_id),
        customer_id=text(event.customer_id) or None,
        payment_method_type=event.payment_method_type or None,
        card_fingerprint=text(event.card_fingerprint) or None,
        card_last_four=event.card_last_four or None,
    )


def _microseconds(moment: Timestamp) -> int:
    return moment.seconds * 1_000_000 + (moment.nanos + 500) // 1000


def lanes(event: UnifiedPaymentEvent) -> frozenset[str]:
    """Names of which two failed events share one where they may be about one card; none for other events."""
    if event.event_type != FAILED:
        return frozenset()
    keys = [f"payment {event.payment_id}"]
    if event.card_fingerprint:
        keys.append(f"card {event.provider} {event.card_fingerprint}")
    if event.customer_id:
        keys.append(f"customer {event.merchant_id} {event.customer_id}")
    return frozenset(keys)


def earlier_attempts(event: FailedEvent, others: Iterable[FailedEvent]) -> EarlierAttempts:
    """The attempts on the event's card up to its moment, its own not counted, however many events tell of each.

    An attempt in the same second counts: nothing says that it came later.
    """
    known = {
        other.event_id: other
        for other in others
        if other.provider_created_at <= event.provider_created_at and may_be_one_card(event, other)
    }
    known[event.event_id] = event
    attempts = [attempt for attempt in _attempts(known.values()) if event not in attempt.events]
    return EarlierAttempts(
        same_amount=_newest(attempt.at for attempt in attempts if attempt.was_for(event)),
        other_amounts=_newest(attempt.at for attempt in attempts if not attempt.was_for(event)),
    )


def may_be_one_card(one: FailedEvent, other: FailedEvent) -> bool:
    """Whether two events may be about one card: certain by fingerprints, else the strictest reading holds.

    Without a fingerprint on both sides, a payment and a customer are taken to have one card unless something tells two
    apart.
    """
    if (one.provider, one.livemode) != (other.provider, other.livemode):
        return False
    if one.card_fingerprint and other.card_fingerprint:
        return one.card_fingerprint == other.card_fingerprint
    if _differ(one.card_last_four, other.card_last_four) or _differ(one.payment_method_type, other.payment_method_type):
        return False
    return one.payment_id == other.payment_id or (
        bool(one.customer_id) and (one.merchant_id, one.customer_id) == (other.merchant_id, other.customer_id)
    )


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)


def _attempts(events: Iterable[FailedEvent]) -> Iterable[_Attempt]:
    by_payment: defaultdict[str, list[FailedEvent]] = defaultdict(list)
    for event in events:
        by_payment[event.payment_id].append(event)
    for of_payment in by_payment.values():
        yield from _attempts_of_payment(
            sorted(of_payment, key=lambda event: (event.provider_created_at, event.event_id))
        )


def _attempts_of_payment(events: Sequence[FailedEvent]) -> Iterable[_Attempt]:
    """Attempts by their own object, each with at most one of the events about the payment as a whole.

    One to one: an event too many makes an attempt of its own, so that too few are never counted for it.
    """
    by_object: defaultdict[str, list[FailedEvent]] = defaultdict(list)
    of_payment: list[FailedEvent] = []
    for event in events:
        if event.provider_object_id.startswith(_SEVERAL_ATTEMPTS.get(event.provider, ())):
            of_payment.append(event)
        else:
            by_object[event.provider_object_id].append(event)
    attempts = sorted(map(_Attempt, by_object.values()), key=lambda attempt: attempt.at)
    return _paired(attempts, of_payment)


def _paired(attempts: Sequence[_Attempt], events: Sequence[FailedEvent]) -> Iterable[_Attempt]:
    """Both in the order of time; the earliest pairs first, which leaves the fewest without one."""
    left = list(events)
    for attempt in attempts:
        while left and left[0].provider_created_at < attempt.at - _ONE_ATTEMPT:
            yield _Attempt([left.pop(0)])
        if left and left[0].provider_created_at <= attempt.at + _ONE_ATTEMPT:
            yield _Attempt([*attempt.events, left.pop(0)])
        else:
            yield attempt
    yield from (_Attempt([event]) for event in left)


def _newest(moments: Iterable[datetime]) -> Sequence[datetime]:
    return sorted(moments)[-MOST_ATTEMPTS:]
