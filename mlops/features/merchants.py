"""What a fact changes in the state of a merchant, and the merchant's features: counts by hour."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from struct import Struct
from typing import Final

from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_FRAUD

from mlops.features.attempts import ONE_ATTEMPT_US, telling
from mlops.features.facts import Outcome, PaymentFact
from mlops.features.readings import days_since, share
from mlops.features.state import HOURS_KEPT, MOST_OPEN, MOST_SEEN, NEVER, Counted, MerchantState, identity
from mlops.features.windows import HOUR_US, inserted

_DAY, _WEEK, _MONTH = 24, 7 * 24, 30 * 24
_KEY: Final = Struct("<Q")
_ATTEMPTS, _FAILED, _FRAUD_DECLINES, _REFUNDED, _DISPUTED = map(int, Counted)
_KINDS: Final = {
    Outcome.SUCCEEDED: (Counted.ATTEMPTS,),
    Outcome.FAILED: (Counted.ATTEMPTS, Counted.FAILED),
    Outcome.REFUNDED: (Counted.REFUNDED,),
    Outcome.DISPUTED: (Counted.DISPUTED,),
}


def after(state: MerchantState, fact: PaymentFact) -> MerchantState:
    """The state after one fact more; the state itself where the fact tells nothing new."""
    hour = fact.occurred_at_us // HOUR_US
    if fact.outcome == Outcome.OTHER or hour <= state.watermark_us // HOUR_US - HOURS_KEPT:
        return state
    key = _KEY.pack(_identity(fact))
    if any(True for _ in _positions(state.seen, key)):
        return state
    state = state._replace(seen=(state.seen + key)[-MOST_SEEN * _KEY.size :])
    if fact.outcome == Outcome.FAILED:
        payment = _KEY.pack(identity(fact.payment_id))
        told = _told_by_other(state, fact, payment)
        if told >= 0:
            return _settled(state, told)
        state = _opened(state, fact, payment)
    return _forgetting(_counted(state, fact, hour), min(fact.occurred_at_us, fact.arrived_at_us))


def _identity(fact: PaymentFact) -> int:
    if fact.outcome == Outcome.FAILED:
        own, whole = telling(fact)
        return own or whole
    return identity(f"{fact.payment_id}|{fact.outcome.name}")


def _positions(column: bytes, key: bytes) -> Iterator[int]:
    """Where a key is in a column of keys: a search of bytes is a tenth of the time of one of numbers."""
    at = column.find(key)
    while at >= 0:
        # Only a key that begins where keys begin is one.
        if at % _KEY.size == 0:
            yield at // _KEY.size
        at = column.find(key, at + 1)


def _told_by_other(state: MerchantState, fact: PaymentFact, payment: bytes) -> int:
    """The failed attempt of the payment, nearest in time, that only the other kind of event has told of; or -1."""
    own = fact.attempt_id is not None
    apart_us = {
        position: abs(state.open_times[position] - fact.occurred_at_us)
        for position in _positions(state.open_payments, payment)
        if state.open_own[position] != own
    }
    nearest = min(apart_us, key=apart_us.__getitem__, default=-1)
    return nearest if nearest >= 0 and apart_us[nearest] <= ONE_ATTEMPT_US else -1


def _opened(state: MerchantState, fact: PaymentFact, payment: bytes) -> MerchantState:
    own = fact.attempt_id is not None
    return state._replace(
        open_payments=(state.open_payments + payment)[-MOST_OPEN * _KEY.size :],
        open_times=inserted(state.open_times, len(state.open_times), fact.occurred_at_us)[-MOST_OPEN:],
        open_own=(state.open_own + bytes((own,)))[-MOST_OPEN:],
    )


def _settled(state: MerchantState, position: int) -> MerchantState:
    after_it = position + 1
    size = _KEY.size
    return state._replace(
        open_payments=state.open_payments[: position * size] + state.open_payments[after_it * size :],
        open_times=state.open_times[:position] + state.open_times[after_it:],
        open_own=state.open_own[:position] + state.open_own[after_it:],
    )


def _counted(state: MerchantState, fact: PaymentFact, hour: int) -> MerchantState:
    kinds = _KINDS[fact.outcome]
    if fact.decline_class == DECLINE_CLASS_FRAUD and fact.outcome == Outcome.FAILED:
        kinds = (*kinds, Counted.FRAUD_DECLINES)
    at_us = fact.occurred_at_us
    return state._replace(
        first_seen_us=at_us if state.first_seen_us == NEVER else min(state.first_seen_us, at_us),
        counts=state.counts.counted(hour, kinds),
    )


def _forgetting(state: MerchantState, reached_us: int) -> MerchantState:
    """Without the hours that no window reaches any more; a week of them at a time, because it costs a pass over all."""
    if reached_us <= state.watermark_us:
        return state
    counts, horizon = state.counts, reached_us // HOUR_US - HOURS_KEPT
    if counts.hours[0] <= horizon - _WEEK:
        counts = counts.after(horizon)
    return state._replace(watermark_us=reached_us, counts=counts)


def features(state: MerchantState, at_us: int) -> dict[str, float | None]:
    """The merchant's features at a moment."""
    counts, hour = state.counts, at_us // HOUR_US
    end = bisect_right(counts.hours, hour)
    last_hour, day, week, month = (bisect_left(counts.hours, hour - hours) for hours in (1, _DAY, _WEEK, _MONTH))
    attempts_1h = counts.between(_ATTEMPTS, last_hour, end)
    attempts_24h = counts.between(_ATTEMPTS, day, end)
    attempts_7d = counts.between(_ATTEMPTS, week, end)
    attempts_30d = counts.between(_ATTEMPTS, month, end)
    known_days = days_since(state.first_seen_us, at_us)
    succeeded_30d = attempts_30d - counts.between(_FAILED, month, end)
    return {
        "merchant_attempts_1h": attempts_1h,
        "merchant_attempts_24h": attempts_24h,
        "merchant_attempts_7d": attempts_7d,
        "merchant_decline_rate_1h": share(counts.between(_FAILED, last_hour, end), attempts_1h),
        "merchant_decline_rate_24h": share(counts.between(_FAILED, day, end), attempts_24h),
        "merchant_decline_rate_7d": share(counts.between(_FAILED, week, end), attempts_7d),
        "merchant_fraud_decline_rate_24h": share(counts.between(_FRAUD_DECLINES, day, end), attempts_24h),
        "merchant_fraud_decline_rate_7d": share(counts.between(_FRAUD_DECLINES, week, end), attempts_7d),
        "merchant_refund_rate_30d": share(counts.between(_REFUNDED, month, end), succeeded_30d),
        "merchant_dispute_rate_30d": share(counts.between(_DISPUTED, month, end), succeeded_30d),
        "merchant_days_since_first_payment": known_days,
        "merchant_days_known_30d": None if known_days is None else min(known_days, _MONTH / _DAY),
    }
