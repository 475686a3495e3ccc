"""Features of a card at a merchant, across the customers who use it."""

from bisect import bisect_right
from typing import Final

from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_HARD

from mlops.features.facts import Outcome
from mlops.features.readings import (
    amounts_like_latest,
    days_since,
    days_since_last,
    declined,
    distinct,
    failed,
    failures_in_a_row,
    hours_since_previous,
    share,
    starts,
)
from mlops.features.state import EventState
from mlops.features.windows import DAY_US, HOUR_US

_HARD: Final = bytes((DECLINE_CLASS_HARD,))


def features(state: EventState, at_us: int) -> dict[str, float | None]:
    """The card's features at a moment."""
    end = bisect_right(state.times, at_us)
    hour, day, week, month = starts(state, at_us, HOUR_US, DAY_US, 7 * DAY_US, 30 * DAY_US)
    failed_30d = failed(state, month, end)
    like_latest = amounts_like_latest(state, month, end)
    return {
        "card_attempts_1h": end - hour,
        "card_attempts_24h": end - day,
        "card_attempts_30d": end - month,
        "card_failed_24h": failed(state, day, end),
        "card_failed_7d": failed(state, week, end),
        "card_decline_rate_30d": share(failed_30d, end - month),
        "card_hard_declines_30d": declined(state, _HARD, month, end),
        "card_failures_in_a_row": failures_in_a_row(state, end),
        "card_distinct_customers_24h": distinct(state.peers, day, end),
        "card_distinct_customers_30d": distinct(state.peers, month, end),
        "card_distinct_amounts_24h": distinct(state.amounts, day, end),
        "card_same_amount_attempts_30d": like_latest.count(like_latest[-1]) if like_latest else 0,
        "card_days_since_last_success": days_since_last(state, Outcome.SUCCEEDED, at_us, end),
        "card_days_since_first_attempt": days_since(state.first_seen_us, at_us),
        "card_hours_since_previous_attempt": hours_since_previous(state, end),
    }
