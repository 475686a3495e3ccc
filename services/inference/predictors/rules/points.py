"""Adds up the points of rules that apply to a payment: transparent, and no probability."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidegate.inference.v1.payment_context_pb2 import Reason

from services.inference.case import Case

_SCALE = 100


@dataclass(frozen=True, slots=True)
class PointRule:
    """One row: how many points, and why. Its code is the reason's code."""

    code: str
    points: int
    description: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a payment once, and the row that holds for each answer; no row, no points."""

    ask: Callable[[Case], object]
    rows: Mapping[object, PointRule]


def holds(ask: Callable[[Case], bool], code: str, points: int, description: str) -> Question:
    """A question of yes or no: points where the answer is true."""
    return Question(ask, {True: PointRule(code, points, description)})


class PointTable:
    """A table of questions. The sum of the points, between 0 and 100, is the score."""

    def __init__(self, questions: Iterable[Question], base: int = 0) -> None:
        self._base = base
        self._questions = [(question.ask, _scored(question.rows)) for question in questions]

    def judge(self, case: Case) -> tuple[float, Sequence[Reason]]:
        """The score on a scale of 0 to 1 and the rows that made it, strongest first."""
        found = [row for ask, rows in self._questions if (row := rows.get(ask(case))) is not None]
        if not found:
            return self._base / _SCALE, _NO_SIGNAL
        if len(found) > 1:
            found.sort(key=_strength)
        points = self._base + sum(points for points, _ in found)
        return max(0, min(_SCALE, points)) / _SCALE, [reason for _, reason in found]


_NO_SIGNAL = (Reason(code="no_signal", description="no rule of the table applies"),)


def _scored(rows: Mapping[object, PointRule]) -> dict[object, tuple[int, Reason]]:
    return {answer: (row.points, _reason(row)) for answer, row in rows.items()}


def _reason(row: PointRule) -> Reason:
    return Reason(code=row.code, description=f"{row.description} ({row.points:+d} points)")


def _strength(scored: tuple[int, Reason]) -> int:
    return -abs(scored[0])
