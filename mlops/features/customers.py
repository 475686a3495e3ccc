"""Features of a merchant's customer."""

from bisect import bisect_right
from typing import Final

from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_HARD,
    DECLINE_CLASS_INSUFFICIENT_FUNDS,
)

from mlops.features.attempts import MILLION
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
    mean,
    share,
    starts,
    success_interval_days,
    zscore,
)
from mlops.features.state import EventState
from mlops.features.windows import DAY_US, span

_FUNDS: Final = bytes((DECLINE_CLASS_INSUFFICIENT_FUNDS,))
_HARD: Final = bytes((DECLINE_CLASS_HARD,))
_FRAUD: Final = bytes((DECLINE_CLASS_FRAUD,))
_REFUNDED: Final = int(Outcome.REFUNDED)
_DISPUTED: Final = int(Outcome.DISPUTED)
_DAY, _WEEK, _MONTH, _QUARTER = (days * DAY_US for days in (1, 7, 30, 90))


def features(state: EventState, at_us: int) -> dict[str, float | None]:
    """The customer's features at a moment."""
    end = bisect_right(state.times, at_us)
    day, week, month, quarter = starts(state, at_us, _DAY, _WEEK, _MONTH, _QUARTER)
    failed_7d, failed_30d = failed(state, week, end), failed(state, month, end)
    recent = amounts_like_latest(state, month, end)
    return {
        "total_payments_24h": end - day,
        "total_payments_7d": end - week,
        "total_payments_30d": end - month,
        "total_payments_90d": end - quarter,
        "failed_payments_24h": failed(state, day, end),
        "failed_payments_7d": failed_7d,
        "failed_payments_30d": failed_30d,
        "succeeded_payments_90d": end - quarter - failed(state, quarter, end),
        "decline_rate_7d": share(failed_7d, end - week),
        "decline_rate_30d": share(failed_30d, end - month),
        "insufficient_funds_declines_30d": declined(state, _FUNDS, month, end),
        "hard_declines_30d": declined(state, _HARD, month, end),
        "fraud_declines_30d": declined(state, _FRAUD, month, end),
        "failures_in_a_row": failures_in_a_row(state, end),
        "distinct_cards_24h": distinct(state.peers, day, end),
        "distinct_cards_30d": distinct(state.peers, month, end),
        "amount_zscore": zscore(amounts_like_latest(state, quarter, end)),
        "amount_avg_30d": mean(recent),
        "amount_max_30d": max(recent, default=None),
        "days_since_last_success": days_since_last(state, Outcome.SUCCEEDED, at_us, end),
        "days_since_last_failure": days_since_last(state, Outcome.FAILED, at_us, end),
        "days_since_first_payment": days_since(state.first_seen_us, at_us),
        "hours_since_previous_payment": hours_since_previous(state, end),
        "success_interval_days_90d": success_interval_days(state, quarter, end),
        **_scores(state, at_us),
        **_reversals(state, at_us),
    }


def _scores(state: EventState, at_us: int) -> dict[str, float | None]:
    start, end = span(state.scores.times, at_us, _MONTH)
    scores = state.scores.values[start:end]
    return {
        "fraud_score_avg_30d": sum(scores) / len(scores) / MILLION if scores else None,
        "fraud_score_max_30d": max(scores) / MILLION if scores else None,
    }


def _reversals(state: EventState, at_us: int) -> dict[str, float | None]:
    start, end = span(state.reversals.times, at_us, _QUARTER)
    reversals = state.reversals.values[start:end]
    return {
        "refunded_payments_90d": reversals.count(_REFUNDED),
        "disputed_payments_90d": reversals.count(_DISPUTED),
    }
