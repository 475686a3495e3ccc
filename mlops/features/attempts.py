"""What a fact changes in the state of a customer or a card: attempts one by one, each counted once."""

from bisect import bisect_left, bisect_right
from typing import Final

from mlops.features.catalog import Entity
from mlops.features.facts import Outcome, PaymentFact
from mlops.features.state import (
    ATTEMPTS_KEPT_US,
    MOST_ATTEMPTS,
    MOST_MARKS,
    NEVER,
    EventState,
    currency_code,
    identity,
)
from mlops.features.windows import SECOND_US, Keys, Marks, inserted, replaced

# How far apart a provider dates its two events about one attempt. As ADR 0007 has it for the retry budget.
ONE_ATTEMPT_US: Final = 5 * SECOND_US
MILLION: Final = 1_000_000
# As they stand in a state's columns.
_BYTES: Final = {outcome: bytes((outcome,)) for outcome in Outcome}


def after(state: EventState, fact: PaymentFact) -> EventState:
    """The state after one fact more; the state itself where the fact tells nothing new."""
    horizon_us = state.watermark_us - ATTEMPTS_KEPT_US
    # A score comes by a stream of its own, which may be far ahead of the payments' when both are read from their
    # beginning, or far behind: it makes nothing else forget, and what was forgotten of attempts is nothing to it.
    tells_a_score_only = fact.outcome is Outcome.OTHER
    if fact.occurred_at_us <= (horizon_us if tells_a_score_only else max(state.floor_us, horizon_us)):
        return state
    changed = state
    match fact.outcome:
        case Outcome.SUCCEEDED | Outcome.FAILED:
            changed = _attempted(changed, fact)
        case Outcome.REFUNDED | Outcome.DISPUTED:
            key = identity(f"{fact.payment_id}|{fact.outcome.name}")
            marks = changed.reversals.marked(fact.occurred_at_us, key, fact.outcome)
            changed = changed if marks is changed.reversals else changed._replace(reversals=marks)
        case Outcome.OTHER:
            pass
    if fact.fraud_score is not None:
        score = round(fact.fraud_score * MILLION)
        marks = changed.scores.renewed(fact.occurred_at_us, identity(fact.payment_id), score)
        changed = changed if marks is changed.scores else changed._replace(scores=marks)
    if changed is state:
        return state
    return _forgetting(changed, NEVER if tells_a_score_only else min(fact.occurred_at_us, fact.arrived_at_us))


def _attempted(state: EventState, fact: PaymentFact) -> EventState:
    """With the attempt, or with what a further event says about one that is known."""
    own, whole = telling(fact)
    known = _position(state.attempts, own) if own else _position(state.whole, whole)
    if known < 0 and fact.outcome == Outcome.FAILED:
        known = _told_by_other(state, fact, own)
        if known >= 0:
            state = (
                state._replace(attempts=replaced(state.attempts, known, own))
                if own
                else state._replace(whole=replaced(state.whole, known, whole))
            )
    return _inserted(state, fact, own, whole) if known < 0 else _completed(state, known, fact)


def telling(fact: PaymentFact) -> tuple[int, int]:
    """By what an event about an attempt is known again: the attempt itself, or the event about the payment as a whole.

    One of the two is 0. A payment succeeds once, so that every event that says so is about one attempt.
    """
    if fact.outcome == Outcome.SUCCEEDED:
        return identity(f"{fact.payment_id}|SUCCEEDED"), 0
    if fact.attempt_id is not None:
        return identity(fact.attempt_id), 0
    return 0, identity(fact.event_id)


def _position(column: Keys, key: int) -> int:
    # Most keys are new: an exception for each would cost more than the search.
    return column.index(key) if key in column else -1


def _told_by_other(state: EventState, fact: PaymentFact, own: int) -> int:
    """The failed attempt of the payment, nearest in time, that only the other kind of event has told of; or -1."""
    at_us, payment = fact.occurred_at_us, identity(fact.payment_id)
    open_for = state.attempts if own else state.whole
    start = bisect_left(state.times, at_us - ONE_ATTEMPT_US)
    end = bisect_right(state.times, at_us + ONE_ATTEMPT_US)
    candidates = [
        position
        for position in range(start, end)
        if state.payments[position] == payment and not open_for[position] and state.outcomes[position] == Outcome.FAILED
    ]
    return min(candidates, key=lambda position: abs(state.times[position] - at_us), default=-1)


def _inserted(state: EventState, fact: PaymentFact, own: int, whole: int) -> EventState:
    at_us = fact.occurred_at_us
    position = bisect_right(state.times, at_us)
    # Every field by name: a third of the time of _replace, in the one place where it counts.
    return EventState(
        entity=state.entity,
        watermark_us=max(state.watermark_us, min(at_us, fact.arrived_at_us)),
        floor_us=state.floor_us,
        first_seen_us=at_us if state.first_seen_us == NEVER else min(state.first_seen_us, at_us),
        last_success_us=state.last_success_us,
        last_failure_us=state.last_failure_us,
        times=inserted(state.times, position, at_us),
        amounts=inserted(state.amounts, position, fact.amount_cents),
        payments=inserted(state.payments, position, identity(fact.payment_id)),
        attempts=inserted(state.attempts, position, own),
        whole=inserted(state.whole, position, whole),
        peers=inserted(state.peers, position, _peer(state.entity, fact)),
        currencies=inserted(state.currencies, position, currency_code(fact.currency)),
        outcomes=_with_byte(state.outcomes, position, fact.outcome),
        declines=_with_byte(state.declines, position, fact.decline_class or 0),
        scores=state.scores,
        reversals=state.reversals,
    )


def _with_byte(column: bytes, position: int, value: int) -> bytes:
    return b"%b%c%b" % (column[:position], value, column[position:])


def _completed(state: EventState, position: int, fact: PaymentFact) -> EventState:
    """Only one of two events about an attempt may say on which card it was."""
    peer = _peer(state.entity, fact)
    if not peer or state.peers[position]:
        return state
    return state._replace(peers=replaced(state.peers, position, peer))


def _peer(entity: Entity, fact: PaymentFact) -> int:
    other = fact.card_id if entity is Entity.CUSTOMER else fact.customer_id
    return identity(other) if other is not None else 0


def _forgetting(state: EventState, reached_us: int) -> EventState:
    """Without what no window reaches any more, and without the oldest of too many."""
    if reached_us > state.watermark_us:
        state = state._replace(watermark_us=reached_us)
    horizon_us = state.watermark_us - ATTEMPTS_KEPT_US
    if state.scores.times or state.reversals.times:
        state = state._replace(scores=_kept(state.scores, horizon_us), reversals=_kept(state.reversals, horizon_us))
    count = max(bisect_right(state.times, horizon_us), len(state.times) - MOST_ATTEMPTS)
    return _without_first(state, count) if count > 0 else state


def _kept(marks: Marks, horizon_us: int) -> Marks:
    count = max(bisect_right(marks.times, horizon_us), len(marks.times) - MOST_MARKS)
    return marks.without_first(count) if count > 0 else marks


def last(state: EventState, outcome: Outcome, end: int) -> int:
    """When an outcome was last met before a position, also among what is forgotten; or NEVER."""
    position = state.outcomes.rfind(_BYTES[outcome], 0, end)
    if position >= 0:
        return state.times[position]
    return state.last_success_us if outcome == Outcome.SUCCEEDED else state.last_failure_us


def _without_first(state: EventState, count: int) -> EventState:
    return state._replace(
        floor_us=max(state.floor_us, state.times[count - 1]),
        last_success_us=last(state, Outcome.SUCCEEDED, count),
        last_failure_us=last(state, Outcome.FAILED, count),
        times=state.times[count:],
        amounts=state.amounts[count:],
        payments=state.payments[count:],
        attempts=state.attempts[count:],
        whole=state.whole[count:],
        peers=state.peers[count:],
        currencies=state.currencies[count:],
        outcomes=state.outcomes[count:],
        declines=state.declines[count:],
    )
