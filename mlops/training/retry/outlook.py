"""Learns what is still to be had of a payment after another failure, by following the policy through what happened."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Self

import numpy as np

from mlops.registry.retry.inputs import DAY_S, Floats, Ints, Situation
from mlops.registry.retry.policy import Continuation, Policy, Probability, Rules, Terms, moments
from mlops.training.retry.decisions import Decision

ATTEMPTS: Final = 8
"""After the first one, at most: as many as Stripe recommends."""
_BANDS: Final = 8
_DAYS: Final = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0)
_FEW: Final = 30


@dataclass(frozen=True, slots=True)
class Look:
    """A decline with the moments at which it may be tried again, and their probabilities."""

    situation: Situation
    at_s: Ints
    probability: Floats
    days_left: float

    @classmethod
    def at(cls, situation: Situation, model: Probability, terms: Terms) -> Self:
        """As the policy sees it that no rule holds back."""
        end_s = situation.first_s + terms.horizon_days * DAY_S
        at_s = moments(situation, Rules(0, end_s, prohibited=False, attempts_left=1), terms)
        probability = model.predict(situation.rows(at_s)) if len(at_s) else np.empty(0)
        return cls(situation, at_s, probability, (end_s - situation.declined_s) / DAY_S)

    def share(self, policy: Policy, attempts_left: int) -> float:
        """What the payment is worth under the policy, as a share of its amount."""
        if not len(self.at_s):
            return 0.0
        value = float(policy.values(self.situation, self.at_s, self.probability, attempts_left).max())
        amount = self.situation.amount_usd
        return max(0.0, value if np.isnan(amount) else value / amount)


def continuation(decided: Sequence[Decision], models: Sequence[Probability], terms: Terms) -> Continuation:
    """The outlook under which the policy is consistent: fitted value iteration over failures that were seen.

    Where a retry failed, what that decline is worth under the policy is what the one before it may count on after a
    failure; nothing where a rule forbids to go on. Moments were chosen at random, so failures of all kinds are there.
    What attempts cost is left out, so that small and large amounts share one outlook: a large one is tried on.
    `models` are asked in place of one another, each of decisions it has not seen: the best of many probabilities would
    otherwise be taken for too good.
    """
    terms = replace(terms, attempt_usd=0.0)
    pairs = failures(decided)
    looks = {row: Look.at(decided[row].situation, models[row], terms) for row in sorted({*sum(pairs, ())})}
    best = np.array([looks[one].probability.max(initial=0.0) for one, _ in pairs])
    left = np.array([looks[other].days_left for _, other in pairs])
    rows, middles = _bands(best)
    tables = [_table(rows, left, np.zeros(len(pairs)))]
    for attempts_left in range(1, ATTEMPTS):
        policy = Policy(terms, Continuation(middles, _DAYS, tuple(tables)))
        worth = [0.0 if decided[other].final else looks[other].share(policy, attempts_left) for _, other in pairs]
        tables.append(_table(rows, left, np.array(worth)))
    return Continuation(middles, _DAYS, tuple(tables))


def failures(decided: Sequence[Decision]) -> list[tuple[int, int]]:
    """The numbers of retries that failed, each with that of the decision on the failure."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, decision in enumerate(decided):
        rows[decision.payment_id].append(row)
    return [
        (one, other)
        for those in rows.values()
        for one, other in pairwise(those)
        if decided[one].retry_s == decided[other].situation.declined_s
    ]


def _bands(best: Floats) -> tuple[Ints, tuple[float, ...]]:
    """The band of each probability, about as many in each, and the bands' means."""
    edges = np.unique(np.quantile(best, np.linspace(0, 1, _BANDS + 1)[1:-1]))
    found = np.unique(np.searchsorted(edges, best, side="right"), return_inverse=True)[1]
    return found, tuple(float(best[found == band].mean()) for band in range(int(found.max()) + 1))


def _table(bands: Ints, left: Floats, worth: Floats) -> tuple[tuple[float, ...], ...]:
    """Means of what came after, by band and days left."""
    column = np.abs(left[:, None] - np.asarray(_DAYS)[None, :]).argmin(axis=1)
    parts = (bands == band for band in range(int(bands.max()) + 1))
    return tuple(_row(column[part], left[part], worth[part]) for part in parts)


def _row(column: Ints, left: Floats, worth: Floats) -> tuple[float, ...]:
    """A mean for each column; those of few are drawn towards a line from 0, and more days are never worth less."""
    slope = float((left * worth).sum() / max(1e-9, (left**2).sum()))
    counted = np.bincount(column, minlength=len(_DAYS))
    means = (np.bincount(column, worth, len(_DAYS)) + _FEW * slope * np.asarray(_DAYS)) / (counted + _FEW)
    means[0] = 0.0
    return tuple(np.maximum.accumulate(means).tolist())
