"""Sums up what policies make of failed payments: recovered money, attempts, delay, rules broken; with intervals."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mlops.registry.retry.inputs import Floats
from mlops.training.evaluation import Interval
from mlops.training.offpolicy import Estimate as OffPolicyEstimate

_ROUNDS: Final = 1000
_SEED: Final = 1
_WIDTH: Final = 40


@dataclass(frozen=True, slots=True)
class Sums:
    """What a policy makes of payments: a row a customer, with the sums of their payments."""

    rows: Floats
    """Payments, US dollars, recovered payments, recovered dollars, attempts, days until recovery, rules broken."""

    @classmethod
    def of(cls, outcomes: Sequence[Mapping[str, float]]) -> "Sums":
        """Of outcomes as `bench.retry_schedules` writes them."""
        customers: dict[float, int] = {}
        place = np.array([customers.setdefault(each["customer_id"], len(customers)) for each in outcomes])
        usd = np.array([each["usd"] for each in outcomes])
        recovered = np.array([each["recovered"] for each in outcomes])
        parts = [np.ones(len(usd)), usd, recovered, usd * recovered]
        parts += [np.array([each[name] for each in outcomes]) for name in ("attempts", "delay_days", "violations")]
        return cls(np.column_stack([np.bincount(place, part) for part in parts]))


def share(sums: Floats) -> Floats:
    """Payments recovered."""
    return np.asarray(sums[..., 2] / sums[..., 0])


def money(sums: Floats) -> Floats:
    """Money recovered, as a share of all of it."""
    return np.asarray(sums[..., 3] / sums[..., 1])


def attempts_per_recovery(sums: Floats) -> Floats:
    """Attempts, of all payments, for each that was recovered."""
    return np.asarray(sums[..., 4] / sums[..., 2])


def delay(sums: Floats) -> Floats:
    """Days from the first attempt to the recovery, on average."""
    return np.asarray(sums[..., 5] / sums[..., 2])


Measure = Callable[[Floats], Floats]


def interval(measure: Measure, sums: Sums, other: Sums | None = None) -> Interval:
    """The measure, or by how much it is above another policy's on the same customers."""
    random = np.random.default_rng(_SEED)
    count = len(sums.rows)
    drawn = random.multinomial(count, np.full(count, 1 / count), _ROUNDS).astype(np.float64)

    def of(rows: Floats) -> Floats:
        return np.append(measure(drawn @ rows), measure(rows.sum(axis=0)))

    values = of(sums.rows) - (0.0 if other is None else of(other.rows))
    low, high = np.quantile(values[:-1], [0.025, 0.975])
    return Interval(float(values[-1]), float(low), float(high))


def outcomes(files: Sequence[Path]) -> dict[str, list[Mapping[str, float]]]:
    """What each policy makes of each payment, of several worlds together."""
    found: dict[str, list[Mapping[str, float]]] = {}
    for file in files:
        for name, those in json.loads(file.read_text()).items():
            found.setdefault(name, []).extend(those)
    return found


def judgement(policies: Mapping[str, Sums], ours: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    """The table, and by how much each of ours is above others."""
    yield f"{'':{_WIDTH}} {'money':>18} {'payments':>18} {'attempts/recovery':>20} {'days':>6} {'broken':>7}"
    for name, sums in policies.items():
        total = sums.rows.sum(axis=0)
        yield f"{name:{_WIDTH}} {_cells(sums)} {float(delay(total)):>6.2f} {math.ceil(total[6]):>7,}"
    for one in ours:
        for other in others:
            yield f"{one}\n{f'  above {other}':{_WIDTH}} {_cells(policies[one], policies[other], sign='+')}"


def _cells(sums: Sums, other: Sums | None = None, sign: str = "") -> str:
    money_cell, share_cell = (_percent(interval(measure, sums, other), sign) for measure in (money, share))
    attempts = _plain(interval(attempts_per_recovery, sums, other), sign)
    return f"{money_cell:>18} {share_cell:>18} {attempts:>20}"


def off_policy(checked: Mapping[str, tuple[float, Mapping[str, OffPolicyEstimate]]]) -> Iterator[str]:
    """Estimates beside the truth, a row for each world and policy."""
    names = ("IPS", "SNIPS", "DR")
    yield f"{'':{_WIDTH}} {'truth':>7} " + " ".join(f"{name:>24}" for name in names)
    for what, (truth, found) in checked.items():
        cells = [f"{_plain(_interval(found[name]))}{' ' if _holds(found[name], truth) else '!'}" for name in names]
        yield f"{what:{_WIDTH}} {truth:>7.3f} " + " ".join(f"{cell:>24}" for cell in cells)
    held = [sum(_holds(found[name], truth) for truth, found in checked.values()) for name in names]
    yield "truth within the interval: " + ", ".join(
        f"{name} {count} of {len(checked)}" for name, count in zip(names, held, strict=True)
    )


def _interval(estimate: OffPolicyEstimate) -> Interval:
    return Interval(estimate.value, estimate.low, estimate.high)


def _holds(estimate: OffPolicyEstimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def _percent(one: Interval, sign: str = "") -> str:
    return f"{one.value * 100:{sign}.1f} [{one.low * 100:{sign}.1f}, {one.high * 100:{sign}.1f}]"


def _plain(one: Interval, sign: str = "") -> str:
    return f"{one.value:{sign}.2f} [{one.low:{sign}.2f}, {one.high:{sign}.2f}]"
