"""Adds up the points of the rules that hold for a payment's facts: transparent, and no probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tidegate.inference.v1.payment_context_pb2 import Reason

_SCALE = 100


@dataclass(frozen=True, slots=True)
class PointRule:
    """One row of a table: points where a fact has this value. Its code is the reason's code."""

    fact: str
    value: object
    code: str
    points: int
    description: str


class Verdict(NamedTuple):
    """The score on a scale of 0 to 1, and the rules that made it, strongest first."""

    score: float
    reasons: Sequence[Reason]


class PointTable:
    """A table of rules. The sum of the points, between 0 and 100, is the score."""

    def __init__(self, rules: Sequence[PointRule], base: int = 0) -> None:
        self._base = base
        self._rules = sorted(rules, key=lambda rule: -abs(rule.points))

    def judge(self, facts: NamedTuple) -> Verdict:
        """The verdict on facts whose fields are those that the table's rows name."""
        held = [rule for rule in self._rules if getattr(facts, rule.fact) == rule.value]
        points = self._base + sum(rule.points for rule in held)
        return Verdict(max(0, min(_SCALE, points)) / _SCALE, [_reason(rule) for rule in held] or _NO_SIGNAL)


_NO_SIGNAL = (Reason(code="no_signal", description="no rule of the table applies"),)


def _reason(rule: PointRule) -> Reason:
    return Reason(code=rule.code, description=f"{rule.description} ({rule.points:+d} points)")
