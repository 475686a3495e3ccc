"""Holds off-policy estimates against the truth: first retries of a world, whose chance is known at every hour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops.registry.retry.inputs import HOUR_S, Floats, Ints, Situation
from mlops.registry.retry.policy import Policy, Probability, Rules
from mlops.training.offpolicy import Estimate, Logged, estimates
from mlops.training.retry.decisions import Decision

HOURS: Final = 14 * 24
_BLUR_HOURS: Final = 24
_HORIZON_US: Final = HOURS * HOUR_S * 1_000_000
_NEVER: Final = 1 << 60
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Known:
    """First declines, what was logged of each, and the truth about it."""

    situations: list[Situation]
    customer: Ints
    wait_hours: Ints
    """What was logged; 0 is a stop."""
    propensity: Floats
    reward: Floats
    chances: Floats
    """A row for each decline, a column for each hour from the first on: how likely a try then brings the money, which
    it does not when the customer has paid with another card before."""

    @classmethod
    def of(cls, folder: Path, decided: Sequence[Decision]) -> "Known":
        """Of a world's folder.

        Left out, whatever was chosen: declines after which a rule forbids a retry or an advice delays it, and those of
        the last two weeks.
        """
        labels = folder / "labels"
        logged = pq.read_table(labels / "decisions.parquet").sort_by("decided_at")
        until = pc.subtract(pc.max(logged.column("decided_at").cast(pa.int64())), _HORIZON_US)
        first = {each.payment_id: each for each in reversed(decided)}
        hourly = _by_payment(labels / "hourly.parquet", "success_probability")
        new_card = _new_card_hours(labels / "curves.parquet")
        rows = [
            row
            for row in logged.filter(pc.field("attempt_number") == 1).to_pylist()
            if row["decided_at"].timestamp() * 1e6 < until.as_py()
            and row["payment_id"] in first
            and _free(first[row["payment_id"]])
        ]
        payments = [row["payment_id"] for row in rows]
        numbers: dict[str, int] = {}
        hours = np.arange(1, HOURS + 1)
        return cls(
            situations=[first[payment].situation for payment in payments],
            customer=np.array([numbers.setdefault(row["customer_id"], len(numbers)) for row in rows]),
            wait_hours=np.array([row["wait_hours"] or 0 for row in rows]),
            propensity=np.array([row["propensity_hour"] for row in rows]),
            reward=np.array([float(row["outcome"] == "succeeded") for row in rows]),
            chances=np.array([np.asarray(hourly[payment])[1:] * (hours <= new_card[payment]) for payment in payments]),
        )

    def check(self, target: Floats, model: Probability) -> tuple[float, dict[str, Estimate]]:
        """The true value of a policy that picks hours with the chances in rows of `target`, and what is estimated."""
        hours = np.arange(1, HOURS + 1)
        modelled = np.zeros_like(target)
        for row, situation in enumerate(self.situations):
            chosen = target[row] > 0
            chosen[self.wait_hours[row] - 1] |= self.wait_hours[row] > 0
            modelled[row, chosen] = model.predict(situation.rows(situation.declined_s + hours[chosen] * HOUR_S))
        place = np.maximum(self.wait_hours - 1, 0)
        every = np.arange(len(target))
        tried = self.wait_hours > 0
        logged = Logged(
            reward=self.reward,
            propensity=self.propensity,
            target=np.where(tried, target[every, place], 0.0),
            modelled=np.where(tried, modelled[every, place], 0.0),
            modelled_target=(target * modelled).sum(axis=1),
            group=self.customer,
        )
        return float((target * self.chances).sum(axis=1).mean()), estimates(logged, seed=_SEED)

    def between(self, first: int, last: int) -> Floats:
        """The policy that picks any hour from one to another, both included, for every decline."""
        row = np.zeros(HOURS)
        row[first - 1 : last] = 1 / (last - first + 1)
        return np.tile(row, (len(self.situations), 1))

    def around(self, choose: Callable[[Situation], int | None]) -> Floats:
        """The policy that picks any hour within a day of the one that another chooses; a day for those it does not."""
        target = np.zeros((len(self.situations), HOURS))
        for row, situation in enumerate(self.situations):
            at_s = choose(situation)
            hour = 1 if at_s is None else (at_s - situation.declined_s) // HOUR_S
            low, high = max(1, hour - _BLUR_HOURS), min(HOURS, hour + _BLUR_HOURS)
            target[row, low - 1 : high] = 1 / (high - low + 1)
        return target


def chosen_by(policy: Policy, model: Probability, attempts: int) -> Callable[[Situation], int | None]:
    """What a policy chooses where no rule holds it back."""

    def choose(situation: Situation) -> int | None:
        end_s = situation.first_s + HOURS * HOUR_S
        proposal = policy.propose(model, situation, Rules(0, end_s, prohibited=False, attempts_left=attempts))
        return None if proposal is None else proposal.at_s

    return choose


def _free(decision: Decision) -> bool:
    """Whether neither a rule nor an advice holds the retry back."""
    return not decision.final and np.isnan(decision.situation.value("network_advice_code"))


def _by_payment(file: Path, column: str) -> dict[str, list[float]]:
    table = pq.read_table(file, columns=["payment_id", column])
    return dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


def _new_card_hours(file: Path) -> dict[str, float]:
    """How many hours after the first try the customer pays with another card."""
    columns = ["payment_id", "opened_at", "asked", "new_card_asked_at", "new_card_unasked_at"]
    found = {}
    for row in pq.read_table(file, columns=columns).to_pylist():
        at = row["new_card_asked_at"] if row["asked"] else row["new_card_unasked_at"]
        found[row["payment_id"]] = (_NEVER if at is None else at - row["opened_at"]) / HOUR_S
    return found
