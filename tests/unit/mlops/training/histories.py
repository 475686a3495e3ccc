"""Small made-up histories of payments with the Handbook's kinds of fraud, and tables with a known truth."""

from dataclasses import replace

import numpy as np

from mlops.training.dataset import Dataset
from mlops.training.fraud.features import DAY, Payments


def payments(days: int = 60, seed: int = 1, customers: int = 40, terminals: int = 30, per_day: int = 120) -> Payments:
    """Return payments with terminals that are taken over for weeks and amounts that are sometimes multiplied."""
    random = np.random.default_rng(seed)
    count = days * per_day
    seconds = np.sort(random.integers(0, days * DAY, count))
    customer, terminal = random.integers(0, customers, count), random.integers(0, terminals, count)
    usual = random.integers(500, 10_000, customers)
    amount = np.maximum(random.normal(usual[customer], usual[customer] / 3), 100)
    multiplied = random.random(count) < 0.01
    taken = (terminal == 3) & (seconds > 20 * DAY) & (seconds < 48 * DAY)
    return Payments(
        seconds=seconds.astype(np.int64),
        weekday=(seconds // DAY % 7).astype(np.int64),
        customer=customer.astype(np.int64),
        terminal=terminal.astype(np.int64),
        amount_cents=np.rint(np.where(multiplied, amount * 5, amount)).astype(np.int64),
        fraud=multiplied | taken,
    )


def upto(history: Payments, rows: int) -> Payments:
    """Return the first rows alone."""
    return Payments(*(getattr(history, name)[:rows] for name in Payments.__slots__))


def scrambled_after(history: Payments, second: int, label_delay_seconds: int) -> Payments:
    """Return the history with everything else that may not be known at `second` changed.

    Rows after it get other people, places, amounts and labels; labels within the delay before it are flipped.
    """
    later = history.seconds > second
    return replace(
        history,
        customer=np.where(later, history.customer[::-1], history.customer),
        terminal=np.where(later, history.terminal[::-1], history.terminal),
        amount_cents=np.where(later, history.amount_cents * 7 + 1, history.amount_cents),
        fraud=history.fraud ^ (history.seconds > second - label_delay_seconds),
    )


def table(rows: int = 6_000, days: int = 60, seed: int = 1) -> Dataset:
    """Return a dataset whose label follows from `risk` alone, with a known probability in column `truth`'s place."""
    random = np.random.default_rng(seed)
    risk, noise = random.normal(size=rows), random.normal(size=rows)
    label = random.random(rows) < 1 / (1 + np.exp(3.5 - 2 * risk))
    return Dataset.of_columns(
        {"risk": risk, "noise": noise},
        label=label,
        seconds=np.sort(random.integers(0, days * DAY, rows)),
        card=random.integers(0, 300, rows),
        amount_cents=random.integers(100, 10_000, rows),
    )
