"""Features of the Fraud Detection Handbook's payments: its published fifteen, and what fraud's habits add to them.

Everything is a function of the payment itself, of payments before it, and of labels that are `LABEL_DELAY_DAYS` old at
its time. Rows are in order of arrival; amounts are integers of cents, so that sums over windows are exact.
"""

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mlops.training.timeline import Bools, Floats, Ints, Timeline, ratio

DAY = 86_400
LABEL_DELAY_DAYS = 7
_NIGHT_ENDS_HOUR = 6
_SATURDAY = 5
_WINDOWS_DAYS = (1, 7, 30)

PUBLISHED = (
    "tx_amount",
    "tx_during_weekend",
    "tx_during_night",
    *(f"customer_id_{what}_{days}day_window" for days in _WINDOWS_DAYS for what in ("nb_tx", "avg_amount")),
    *(f"terminal_id_{what}_{days}day_window" for days in _WINDOWS_DAYS for what in ("nb_tx", "risk")),
)
"""The Handbook's own features, in its order."""

_UNUSUAL_RATIO = 2.5
"""An amount this many times what the customer usually pays stands out: beyond 3 standard deviations for most."""
_HIGH_RATIO = 4.0
_MIN_HISTORY = 5
"""With fewer earlier payments than this, what is usual for a customer is not known."""


@dataclass(frozen=True, slots=True)
class Payments:
    """Payments in order of arrival; `fraud` is what became known of each, `LABEL_DELAY_DAYS` after it."""

    seconds: Ints
    """Since a midnight."""
    weekday: Ints
    """0 is Monday."""
    customer: Ints
    terminal: Ints
    amount_cents: Ints
    fraud: Bools


def published(payments: Payments, customers: Timeline, terminals: Timeline) -> dict[str, Floats]:
    """Return the fifteen features of the Handbook's chapter 3, as it defines them."""
    columns = {
        "tx_amount": payments.amount_cents / 100,
        "tx_during_weekend": (payments.weekday >= _SATURDAY).astype(np.float64),
        "tx_during_night": (payments.seconds % DAY // 3600 <= _NIGHT_ENDS_HOUR).astype(np.float64),
    }
    for days in _WINDOWS_DAYS:
        start, end = customers.since(days * DAY), customers.before() + 1
        count = (end - start).astype(np.float64)
        columns[f"customer_id_nb_tx_{days}day_window"] = count
        columns[f"customer_id_avg_amount_{days}day_window"] = (
            customers.total(payments.amount_cents, start, end) / count / 100
        )
    known = terminals.known(LABEL_DELAY_DAYS * DAY)
    for days in _WINDOWS_DAYS:
        start = terminals.since((LABEL_DELAY_DAYS + days) * DAY)
        count = (known - start).astype(np.float64)
        columns[f"terminal_id_nb_tx_{days}day_window"] = count
        columns[f"terminal_id_risk_{days}day_window"] = ratio(terminals.total(payments.fraud, start, known), count)
    return columns


@dataclass(frozen=True, slots=True)
class Habit:
    """What a customer usually pays, from payments before each row; NaN while there are too few."""

    usual_amount: Floats
    spread: Floats
    ratio: Floats
    unusual: Bools
    high: Bools


def _median_before(payments: Payments) -> Floats:
    """Return the median of the customer's earlier amounts; NaN with fewer than `_MIN_HISTORY`."""
    seen: dict[int, list[int]] = {}
    medians = np.full(len(payments.seconds), np.nan)
    for row, (customer, amount) in enumerate(
        zip(payments.customer.tolist(), payments.amount_cents.tolist(), strict=True)
    ):
        amounts = seen.setdefault(customer, [])
        count = len(amounts)
        if count >= _MIN_HISTORY:
            medians[row] = (amounts[count // 2] + amounts[(count - 1) // 2]) / 2
        insort(amounts, amount)
    return medians


def habit(payments: Payments, customers: Timeline) -> Habit:
    """Return each customer's habit. Amounts that stand out against the median do not shape what counts as usual."""
    median = _median_before(payments)
    with np.errstate(invalid="ignore"):
        outlying = payments.amount_cents > _UNUSUAL_RATIO * median
    ordinary = ~outlying
    start, end = customers.first, customers.before()
    count = customers.total(ordinary, start, end)
    kept = np.where(ordinary, payments.amount_cents, 0)
    enough = count >= _MIN_HISTORY
    mean = np.where(enough, ratio(customers.total(kept, start, end), count), np.nan)
    square = ratio(customers.total(kept.astype(np.float64) ** 2, start, end), count)
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))
        times = payments.amount_cents / mean
        return Habit(mean / 100, spread / 100, times, times > _UNUSUAL_RATIO, times > _HIGH_RATIO)


def customer_behaviour(payments: Payments, customers: Timeline, usual: Habit) -> dict[str, Floats]:
    """Return how far the payment is from the customer's habit, and whether others lately were (no label needed)."""
    before = customers.before()
    with np.errstate(invalid="ignore", divide="ignore"):
        zscore = (payments.amount_cents / 100 - usual.usual_amount) / usual.spread
    columns = {
        "amount_to_usual": usual.ratio,
        "amount_zscore": np.where(np.isfinite(zscore), zscore, np.nan),
        "customer_usual_amount": usual.usual_amount,
    }
    for days in (3, 7, 14):
        start = customers.since(days * DAY)
        columns[f"customer_unusual_{days}d"] = customers.total(usual.unusual, start, before)
    fortnight = customers.since(14 * DAY)
    columns["customer_high_14d"] = customers.total(usual.high, fortnight, before)
    columns["customer_unusual_share_14d"] = ratio(
        columns["customer_unusual_14d"], np.maximum(before - fortnight, 0).astype(np.float64)
    )
    return columns


def terminal_state(payments: Payments, usual: Habit) -> dict[str, Floats]:
    """Return what is known of the terminal's own frauds: those whose amount was nothing special for the customer.

    A fraud with an outlying amount says the card was taken, not the terminal; it is left out of the terminal's run.
    """
    ordinary = ~usual.unusual
    terminals = Timeline.over(payments.terminal, payments.seconds, only=ordinary)
    known = terminals.known(LABEL_DELAY_DAYS * DAY)
    honest = ~payments.fraud
    last_fraud = terminals.last_position(payments.fraud, known)
    last_honest = terminals.last_position(honest, known)
    run_start = np.where(last_fraud > last_honest, np.maximum(last_honest + 1, terminals.first), -1)
    run = np.where(run_start >= 0, known - run_start, 0).astype(np.float64)
    columns = {
        "terminal_known_run": run,
        "terminal_run_age_days": terminals.seconds_since(run_start) / DAY,
        "terminal_days_since_known_honest": terminals.seconds_since(last_honest) / DAY,
    }
    month = terminals.since((LABEL_DELAY_DAYS + 28) * DAY)
    columns["terminal_own_risk_28d"] = ratio(
        terminals.total(payments.fraud, month, known), (known - month).astype(np.float64)
    )
    return columns


def features(payments: Payments) -> Mapping[str, Floats]:
    """Return every feature by name, a value a row, in the order the model takes them."""
    customers = Timeline.over(payments.customer, payments.seconds)
    terminals = Timeline.over(payments.terminal, payments.seconds)
    usual = habit(payments, customers)
    return MappingProxyType(
        published(payments, customers, terminals)
        | customer_behaviour(payments, customers, usual)
        | terminal_state(payments, usual)
    )
