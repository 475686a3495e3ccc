"""What retry schedules would recover, by the truth: the fixed ladder, eight in two weeks, and the best hours."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.simulator.behaviour.curves import Curve, recovery

_HOUR_SECONDS = 3600
_DAY_HOURS = 24
# Days 1, 3, 5 and 7: the ladder for generic declines in inference's rules.
LADDER_HOURS = tuple(day * _DAY_HOURS for day in (1, 3, 5, 7))
# Stripe recommends 8 tries within 2 weeks (docs.stripe.com/payments/off-session-payments/smart-retries, read 2026-11);
# where they lie is its secret.
EIGHT_HOURS = tuple(number * 14 * _DAY_HOURS // 8 for number in range(1, 9))
_MOST_TRIES = 8
_LAST_HOUR = 14 * _DAY_HOURS
_HOURS_APART = 5
_WORTH_A_TRY = 1e-3

Schedule = Callable[[Curve], Sequence[int]]


def by_retries_alone(curve: Curve) -> Curve:
    """The same payment when the customer does nothing: what remains is what trying the old card again can do."""
    return replace(curve, new_card_asked_at=None, new_card_unasked_at=None)


def ladder(curve: Curve) -> Sequence[int]:
    """A fixed ladder."""
    return _at(curve, LADDER_HOURS)


def eight_in_two_weeks(curve: Curve) -> Sequence[int]:
    """Eight tries spread evenly over two weeks."""
    return _at(curve, EIGHT_HOURS)


def best_hours(curve: Curve) -> Sequence[int]:
    """At most eight hours in two weeks, each the one that adds most: nearly the best there is, knowing the truth."""
    chosen: list[int] = []
    reached = 0.0
    while len(chosen) < _MOST_TRIES:
        hours = range(1, _LAST_HOUR + 1, _HOURS_APART)
        value, hour = max((recovery(curve, _at(curve, sorted([*chosen, hour]))), hour) for hour in hours)
        if value < reached + _WORTH_A_TRY:
            break
        chosen.append(hour)
        reached = value
    return _at(curve, sorted(chosen))


def share_recovered(curves: Sequence[Curve], schedule: Schedule) -> float:
    """The expected share of payments that a schedule recovers, when every one of them may be tried again."""
    return sum(recovery(curve, schedule(curve)) for curve in curves) / max(1, len(curves))


def _at(curve: Curve, hours: Sequence[int]) -> list[int]:
    return [curve.opened_at + hour * _HOUR_SECONDS for hour in hours]
