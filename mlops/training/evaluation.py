"""Says how good a model's probabilities are: ranking, alerts a team can work through, calibration; and how sure."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def average_precision(label: Bools, score: Floats) -> float:
    """Return the area under precision over recall as a sum of steps; tied scores are one step."""
    hits, total = _hits_by_threshold(label, score)
    if hits[-1] == 0:
        raise ValueError("average precision needs at least one positive label")
    gained = np.diff(np.concatenate(([0.0], hits)))
    return float((gained * hits / total).sum() / hits[-1])


def _hits_by_threshold(label: Bools, score: Floats) -> tuple[Floats, Floats]:
    """Return, at each distinct score from the highest, how many positives and how many rows lie at or above it."""
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(label[order], dtype=np.float64)[last_of_tie]
    return hits, (last_of_tie + 1).astype(np.float64)


def roc_auc(label: Bools, score: Floats) -> float:
    """Return the chance that a positive scores above a negative, ties counting half."""
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        raise ValueError("AUC needs positive and negative labels")
    _, position, counts = np.unique(score, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    rank = below[position] + (counts[position] + 1) / 2
    return float((rank[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def card_precision_at(card: Ints, day: Ints, label: Bools, score: Floats, k: int = 100) -> float:
    """Return the mean over days of: fraudulent cards among the `k` most suspicious cards of the day, over `k`.

    As the Fraud Detection Handbook defines it (chapter 4, precision top-k): a card is as suspicious as its most
    suspicious payment of the day and is fraudulent if any of them is; a card that was found is not looked at again on
    later days. Cards of one score are taken in the order of their number.
    """
    found: set[int] = set()
    shares = []
    for today in np.unique(day):
        here = (day == today) & ~np.isin(card, list(found))
        cards, position = np.unique(card[here], return_inverse=True)
        highest = np.full(len(cards), -np.inf)
        np.maximum.at(highest, position, score[here])
        fraudulent = np.zeros(len(cards), dtype=bool)
        np.logical_or.at(fraudulent, position, label[here])
        alerts = np.argsort(-highest, kind="stable")[:k]
        caught = cards[alerts][fraudulent[alerts]]
        shares.append(len(caught) / k)
        found.update(caught.tolist())
    return float(np.mean(shares))


def brier(label: Bools, probability: Floats) -> float:
    """Return the mean squared distance of the probability from what happened."""
    return float(np.mean((probability - label) ** 2))


def log_loss(label: Bools, probability: Floats) -> float:
    """Return the mean negative log likelihood; probabilities are kept 1e-7 from certainty."""
    kept = np.clip(probability, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(label, np.log(kept), np.log1p(-kept))))


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """Rows whose probability lies in `[low, high)`: what was said of them on average, and what happened."""

    low: float
    high: float
    rows: int
    said: float
    happened: float


RELIABILITY_EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Finer towards 0, where a rare event's probabilities are."""


def reliability(
    label: Bools, probability: Floats, edges: tuple[float, ...] = RELIABILITY_EDGES
) -> tuple[ReliabilityRow, ...]:
    """Return the reliability table: a row per band of probability that is not empty; the last one includes 1."""
    band = np.clip(np.digitize(probability, edges) - 1, 0, len(edges) - 2)
    rows = []
    for index in range(len(edges) - 1):
        inside = band == index
        if inside.any():
            said, happened = float(probability[inside].mean()), float(label[inside].mean())
            rows.append(ReliabilityRow(edges[index], edges[index + 1], int(inside.sum()), said, happened))
    return tuple(rows)


def expected_calibration_error(label: Bools, probability: Floats, bins: int = 20) -> float:
    """Return the mean distance of what was said from what happened, over `bins` bands of equally many rows."""
    order = np.argsort(probability, kind="stable")
    bands = np.array_split(order, min(bins, len(order)))
    distance = sum(abs(probability[band].mean() - label[band].mean()) * len(band) for band in bands)
    return float(distance / len(order))


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the central 95 % of what resampling gives it."""

    value: float
    low: float
    high: float


def bootstrap(
    measure: Callable[[Ints, Ints], float], groups: Ints, *, rounds: int, seed: int, confidence: float = 0.95
) -> Interval:
    """Return a measure with an interval from resampling whole groups: a card's payments stand or fall together.

    `measure(rows, copies)` is given the numbers of the rows drawn, and for each the group it stands for in this sample:
    a group that was drawn twice is two. It must bear a sample that lacks the rarest rows.
    """
    random = np.random.default_rng(seed)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    sizes = np.array([len(member) for member in members])
    values = []
    for _ in range(rounds):
        drawn = random.integers(0, len(members), len(members))
        copies = np.repeat(np.arange(len(members)), sizes[drawn])
        values.append(measure(np.concatenate([members[i] for i in drawn]), copies))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(measure(np.arange(len(groups)), groups), float(low), float(high))
