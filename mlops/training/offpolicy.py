"""Says what another policy would have been worth, from decisions that were made at random with known chances.

Three estimators of the mean reward (Dudík, Langford, Li 2011; Swaminathan, Joachims 2015): IPS, unbiased and of wide
spread; SNIPS, which divides by the weights themselves and so stays among the rewards seen; doubly robust, which is
right if either the chances or the model of rewards is, and as sure as both together. The Open Bandit Pipeline (obp) has
the same, but its last release (0.5.7) is of April 2023; these few lines are all that is needed of it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ROUNDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Logged:
    """Decisions of one policy as another looks at them, an entry a decision."""

    reward: Floats
    """What came of what was done."""
    propensity: Floats
    """With which chance (or density) it was done; above 0."""
    target: Floats
    """With which chance (or density) the other policy would have done it."""
    modelled: Floats
    """What a model says the reward of what was done is."""
    modelled_target: Floats
    """What a model says the mean reward of what the other policy does is."""
    group: Ints
    """Decisions of one group, such as a customer's, are not independent of each other."""

    def weights(self, most: float = np.inf) -> Floats:
        """How often each decision stands for one of the other policy, cut off at `most`: less spread, some bias."""
        if not np.all(self.propensity > 0):
            raise ValueError("a decision was logged with chance 0: nothing can be weighed by it")
        return np.minimum(self.target / self.propensity, most)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward with its 95 % interval, and to how many decisions of the other policy itself the log amounts."""

    value: float
    low: float
    high: float
    effective: float


def ips(logged: Logged, most: float = np.inf) -> float:
    """The mean reward by inverse propensities."""
    return float(np.mean(logged.weights(most) * logged.reward))


def snips(logged: Logged, most: float = np.inf) -> float:
    """The same over the sum of the weights: among the rewards seen, whatever the weights. NaN where all are 0."""
    weights = logged.weights(most)
    total = weights.sum()
    return float((weights * logged.reward).sum() / total) if total else float("nan")


def doubly_robust(logged: Logged, most: float = np.inf) -> float:
    """The model's mean reward, set right by what inverse propensities say of its errors."""
    errors = logged.weights(most) * (logged.reward - logged.modelled)
    return float(np.mean(logged.modelled_target + errors))


def estimates(logged: Logged, *, seed: int, most: float = np.inf, rounds: int = _ROUNDS) -> dict[str, Estimate]:
    """All three, with intervals from resampling whole groups."""
    weights = logged.weights(most)
    sums = _group_sums(logged, weights)
    random = np.random.default_rng(seed)
    drawn = [sums[random.integers(0, len(sums), len(sums))].sum(axis=0) for _ in range(rounds)]
    count, by_ips, total, by_dr = np.array(drawn).T
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0
    values = {
        "IPS": (ips(logged, most), by_ips / count),
        "SNIPS": (snips(logged, most), by_ips / np.where(total > 0, total, np.nan)),
        "DR": (doubly_robust(logged, most), by_dr / count),
    }
    return {name: _estimate(value, resampled, effective) for name, (value, resampled) in values.items()}


def _estimate(value: float, resampled: Floats, effective: float) -> Estimate:
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return Estimate(value, float(low), float(high), effective)


def _group_sums(logged: Logged, weights: Floats) -> Floats:
    """For each group: decisions, weighted rewards, weights, doubly robust rewards."""
    groups, place = np.unique(logged.group, return_inverse=True)
    robust = logged.modelled_target + weights * (logged.reward - logged.modelled)
    columns = (np.ones(len(weights)), weights * logged.reward, weights, robust)
    return np.column_stack([np.bincount(place, column, len(groups)) for column in columns])
