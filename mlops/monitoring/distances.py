"""How far a day's values lie from a reference distribution: PSI and KS, each with what chance alone would do. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from mlops.registry.profile import Distribution, Floats, Ints

_PSI_BINS: Final = 10
# An empty bin would make the index infinite; this share stands in for it.
_LEAST_SHARE: Final = 1e-4


class Tally:
    """Counts values by a reference's bins, one after the other: what a day needs is held in as many numbers."""

    def __init__(self, reference: Distribution) -> None:
        self._edges = np.array(reference.edges)
        self.counts = np.zeros(len(reference.counts), dtype=np.int64)
        self.missing = 0

    def add(self, values: Floats) -> None:
        """Count these; NaN is a value that is not known."""
        known = values[~np.isnan(values)]
        self.missing += len(values) - len(known)
        self.counts += np.bincount(np.searchsorted(self._edges, known), minlength=len(self.counts))

    @property
    def rows(self) -> int:
        """How many values there were."""
        return int(self.counts.sum()) + self.missing


@dataclass(frozen=True, slots=True)
class Psi:
    """The population stability index, and the value that chance alone stays below with the certainty asked for."""

    value: float
    by_chance: float


@dataclass(frozen=True, slots=True)
class Ks:
    """The largest distance of the cumulative distributions of known values, and the chance of one so large."""

    value: float
    p_value: float


def psi(reference: Distribution, tally: Tally, chance: float) -> Psi | None:
    """Over at most ten bins of about as many reference values each, and one of those not known; None without values.

    What chance does: of two samples of one distribution the index is distributed as chi-squared, with a degree of
    freedom less than bins, times (1/n + 1/m) (Yurdakul and Naranjo, 2020).
    """
    n, m = reference.rows, tally.rows
    if not n or not m:
        return None
    group = _groups(reference)
    expected = np.append(_summed(reference.counts, group), reference.missing) / n
    actual = np.append(_summed(tally.counts, group), tally.missing) / m
    bins = int(((expected > 0) | (actual > 0)).sum())
    return Psi(index(expected, actual), float(stats.chi2.ppf(1 - chance, max(1, bins - 1))) * (1 / n + 1 / m))


def index(expected: Floats, actual: Floats) -> float:
    """The index of two rows of shares."""
    e, a = np.maximum(expected, _LEAST_SHARE), np.maximum(actual, _LEAST_SHARE)
    empty = (expected == 0) & (actual == 0)
    return float(np.where(empty, 0.0, (a - e) * np.log(a / e)).sum())


def _groups(reference: Distribution) -> Ints:
    """Number of the bin of the index that each bin of the reference belongs to."""
    counts = np.array(reference.counts, dtype=np.float64)
    if not counts.sum():
        return np.zeros(len(counts), dtype=np.int64)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    numbers = np.minimum((middle * _PSI_BINS).astype(np.int64), _PSI_BINS - 1)
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _summed(counts: Sequence[int] | Ints, group: Ints) -> Floats:
    return np.bincount(group, weights=np.array(counts, dtype=np.float64)).astype(np.float64)


def ks(reference: Distribution, tally: Tally) -> Ks | None:
    """At the reference's edges, so that a percentile's width may be missed; None where either has no known value."""
    ours, theirs = np.array(reference.counts, dtype=np.float64), tally.counts.astype(np.float64)
    n, m = ours.sum(), theirs.sum()
    if not n or not m:
        return None
    distance = float(np.abs(np.cumsum(ours) / n - np.cumsum(theirs) / m).max())
    # As scipy.stats.ks_2samp has it where samples are large.
    return Ks(distance, float(np.clip(stats.kstwo.sf(distance, max(1, round(n * m / (n + m)))), 0, 1)))
