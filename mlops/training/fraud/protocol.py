"""The Fraud Detection Handbook's protocol: what may be trained on, and which payments of the test week count."""

from dataclasses import dataclass

import numpy as np

from mlops.training import evaluation
from mlops.training.dataset import Bools, Dataset, Floats, Ints
from mlops.training.fraud.features import DAY, LABEL_DELAY_DAYS, Payments

TEST_DAYS = 7
KNOWN_DAYS = 7
"""Cards are known as compromised by the frauds of the Handbook's training week, and of each day that comes after it."""


def days(payments: Payments) -> Ints:
    """Return the day of each payment, counted since 1970-01-01."""
    return payments.seconds // DAY


def trainable(day: Ints, test_start: int) -> Bools:
    """Return the rows whose label is known when the test week starts: those before the delay."""
    return day < test_start - LABEL_DELAY_DAYS


def test_week(day: Ints, payments: Payments, test_start: int) -> Bools:
    """Return the payments of the test week that count: not those of cards known as compromised by then.

    As `get_train_test_set` has it with a training week: known on a test day are the frauds from the start of the
    training week up to `LABEL_DELAY_DAYS + 1` days before, whatever span a model was in fact trained on.
    """
    counted = np.zeros(len(day), dtype=bool)
    from_day = test_start - LABEL_DELAY_DAYS - KNOWN_DAYS
    for today in range(test_start, test_start + TEST_DAYS):
        counted |= (day == today) & ~_compromised(day, payments, from_day, today - LABEL_DELAY_DAYS)
    return counted


def _compromised(day: Ints, payments: Payments, from_day: int, until_day: int) -> Bools:
    """Return the rows of cards with a fraud on the days `[from_day, until_day)`."""
    frauds = payments.fraud & (day >= from_day) & (day < until_day)
    return np.isin(payments.customer, np.unique(payments.customer[frauds]))


def asked(day: Ints, payments: Payments) -> Bools:
    """Return the rows of any day whose card was not known as compromised: no fraud in the last known week."""
    wanted = np.ones(len(day), dtype=bool)
    for today in np.unique(day):
        here = day == today
        until = int(today) - LABEL_DELAY_DAYS
        wanted[here] = ~_compromised(day, payments, until - KNOWN_DAYS, until)[here]
    return wanted


@dataclass(frozen=True, slots=True)
class Figures:
    """What the Handbook's tables show of a test week."""

    average_precision: float
    roc_auc: float
    card_precision_100: float


def judge(rows: Dataset, score: Floats) -> Figures:
    """Return the Handbook's figures for these test rows."""
    return Figures(
        evaluation.average_precision(rows.label, score),
        evaluation.roc_auc(rows.label, score),
        evaluation.card_precision_at(rows.card, rows.seconds // DAY, rows.label, score),
    )
