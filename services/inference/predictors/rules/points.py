"""Adds up the points of rules that apply to a payment: transparent, and no probability."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tidegate.inference.v1.payment_context_pb2 import Reason

from services.inference.case import Case

_SCALE = 100


@dataclass(frozen=True, slots=True)
class PointRule:
    """One rule of a points table: how many points where it applies, and why it is there."""

    code: str
    points: int
    description: str
    applies: Callable[[Case], bool]


class PointTable:
    """A table of rules. The sum of their points, between 0 and 100, is the score."""

    def __init__(self, rules: Iterable[PointRule], base: int = 0) -> None:
        self._base = base
        strongest_first = sorted(rules, key=lambda rule: -abs(rule.points))
        self._rules = [(rule, _reason(rule)) for rule in strongest_first]

    def judge(self, case: Case) -> tuple[float, Sequence[Reason]]:
        """The score on a scale of 0 to 1 and the rules that made it, strongest first."""
        points = self._base
        reasons = []
        for rule, reason in self._rules:
            if rule.applies(case):
                points += rule.points
                reasons.append(reason)
        return max(0, min(_SCALE, points)) / _SCALE, reasons or _NO_SIGNAL


_NO_SIGNAL = (Reason(code="no_signal", description="no rule of the table applies"),)


def _reason(rule: PointRule) -> Reason:
    return Reason(code=rule.code, description=f"{rule.description} ({rule.points:+d} points)")
