"""The log of predictions as jobs need it: small, by version and by the day on which it was served. Pure."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, NamedTuple, Self, TypeAlias

from tidegate.inference.v1.assessment_service_pb2 import Question
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_MODEL_ERROR
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged

from mlops.features.facts import microseconds

_MILLION: Final = 1_000_000
_QUESTION_PREFIX: Final = "QUESTION_"
_FAILED: Final = "payment:failed"
RETRY: Final = "retry"

Names: TypeAlias = tuple[str, ...]


class Served(NamedTuple):
    """Who answered, and on which day (UTC): what figures are kept by."""

    model_name: str
    model_version: str
    day: date


@dataclass(frozen=True, slots=True)
class Prediction:
    """One logged prediction."""

    served: Served
    question: str
    event_id: str | None
    payment_id: str
    score: float
    # View and name of each value; one object for all predictions of a version.
    names: Names
    # What the model was given; NaN where there was none.
    values: Sequence[float]
    # Positions of the values that were too old to be used.
    stale: tuple[int, ...]
    # Whether the values were a model's input; false where rules answered without them.
    used: bool
    fallback: bool
    occurred_us: int
    predicted_us: int

    @property
    def says_nothing(self) -> bool:
        """A retry model that chose no moment, since none is worth it or allowed, gave no probability: the log has 0."""
        return self.question == RETRY and self.score == 0

    @property
    def is_of_the_judged(self) -> bool:
        """Whether it is of the kind that its model was judged by: fraud by payments that were collected.

        Of failed ones it is asked for the recovery plan's sake, and what they were never comes to be known.
        """
        return self.question != "fraud" or _FAILED not in self.names or self.values[self.names.index(_FAILED)] != 1


class Reader:
    """Makes predictions of messages, with one tuple of names for each set of features."""

    def __init__(self) -> None:
        self._names: dict[Names, Names] = {}

    def read(self, message: PredictionLogged) -> Prediction:
        """One prediction."""
        names = tuple([feature.name for feature in message.features])
        names = self._names.setdefault(names, names)
        predicted_us = microseconds(message.predicted_at)
        return Prediction(
            served=Served(message.model_name, message.model_version, day_of(predicted_us)),
            question=Question.Name(message.question).removeprefix(_QUESTION_PREFIX).lower(),
            event_id=message.event_id if message.HasField("event_id") else None,
            payment_id=message.payment_id,
            score=message.score,
            names=names,
            values=array("d", [each.value if each.HasField("value") else math.nan for each in message.features]),
            stale=tuple(position for position, each in enumerate(message.features) if each.stale),
            # A model that failed had a row; any other cause is that no row could be made.
            used=not message.fallback or message.fallback_cause == FALLBACK_CAUSE_MODEL_ERROR,
            fallback=message.fallback,
            occurred_us=microseconds(message.occurred_at),
            predicted_us=predicted_us,
        )


def day_of(at_us: int) -> date:
    """The day of a moment, UTC."""
    return datetime.fromtimestamp(at_us // _MILLION, UTC).date()


@dataclass(frozen=True, slots=True)
class Period:
    """Days that are looked at, the first and the last one included."""

    first: date
    last: date

    @classmethod
    def ending(cls, last: date, days: int, kept_from: date | None) -> Self:
        """So many days up to the last one, but none of which the log no longer has all: `kept_from` is the first."""
        first = date.fromordinal(last.toordinal() - days + 1)
        return cls(first if kept_from is None else max(first, kept_from), last)

    def holds(self, prediction: Prediction) -> bool:
        """Whether it was made on one of these days."""
        return self.first <= prediction.served.day <= self.last


def within(predictions: Iterable[Prediction], period: Period) -> list[Prediction]:
    """Those of these days."""
    return [each for each in predictions if period.holds(each)]
