"""What came of answers, by version and day: nothing is concluded before a label's delay is over. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from mlops.monitoring.predictions import Prediction, Served
from mlops.monitoring.rows import PerformanceRow
from mlops.monitoring.thresholds import CalibrationLimits, State
from mlops.training import evaluation

DAY_US: Final = 86_400_000_000


class After(NamedTuple):
    """The first thing of note that happened after an event, and when; microseconds since 1970."""

    at_us: int
    succeeded: bool


Known: TypeAlias = Mapping[str, After | None]
"""By event: what came after it, None where nothing did; an event that is not stored is missing."""


class Meaning(Enum):
    """What an answer's probability was of."""

    # Fraud: that the payment is disputed as fraudulent.
    IT_HAPPENS = "it happens"
    # Retry: that the next attempt succeeds. Of a payment that is not tried again nothing is learned.
    IT_SUCCEEDS = "it succeeds"
    # Churn: that the customer pays no more.
    NOTHING_HAPPENS = "nothing happens"


class Label(NamedTuple):
    """How a question's answers turn out, and how long that takes to be known."""

    delay_days: int
    meaning: Meaning


LABELS: Final[Mapping[str, Label]] = {
    # As training has it (mlops/training/fraud/truth.py).
    "fraud": Label(30, Meaning.IT_HAPPENS),
    # The longest time within which a retry is recommended.
    "retry": Label(14, Meaning.IT_SUCCEEDS),
    # Who leaves within the 30 days that the workflow asks about does not pay the next month, nor within the two weeks
    # for which a payment that failed is tried again. That somebody cancelled is in no event.
    "churn": Label(45, Meaning.NOTHING_HAPPENS),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is needed of a prediction until its label is known."""

    served: Served
    question: str
    event_id: str | None
    score: float
    occurred_us: int

    def is_settled(self, now_us: int) -> bool:
        """Whether its label may be asked for."""
        return self.occurred_us + LABELS[self.question].delay_days * DAY_US <= now_us


class Answers:
    """Answers of models that labels are defined for; of one payment (fraud) or event (others) each version's first."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._seen: set[tuple[str, str, str, str]] = set()

    def add(self, each: Prediction) -> None:
        """Take one prediction more."""
        if each.fallback or each.question not in LABELS or each.says_nothing:
            return
        about = each.payment_id if each.question == "fraud" else each.event_id or each.payment_id
        key = (each.served.model_name, each.served.model_version, each.question, about)
        if key not in self._seen:
            self._seen.add(key)
            self.answers.append(Answer(each.served, each.question, each.event_id, each.score, each.occurred_us))


def settled_events(answers: Iterable[Answer], now_us: int) -> Mapping[str, Sequence[str]]:
    """By question the events whose labels may be asked for."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for each in answers:
        if each.event_id is not None and each.is_settled(now_us):
            found[each.question].append(each.event_id)
    return found


def performance(
    answers: Iterable[Answer],
    known: Mapping[str, Known],
    thresholds_of: Mapping[tuple[str, str], Mapping[str, float]],
    limits: CalibrationLimits,
    now_us: int,
) -> Iterator[PerformanceRow]:
    """A row for each version and day; `known` by question, `thresholds_of` by model and version."""
    days: defaultdict[tuple[Served, str], list[Answer]] = defaultdict(list)
    for each in answers:
        days[each.served, each.question].append(each)
    for (served, question), of_day in days.items():
        thresholds = thresholds_of.get((served.model_name, served.model_version), {})
        yield _row(served, question, of_day, known.get(question, {}), thresholds, limits, now_us)


def _row(
    served: Served,
    question: str,
    answers: Sequence[Answer],
    known: Known,
    thresholds: Mapping[str, float],
    limits: CalibrationLimits,
    now_us: int,
) -> PerformanceRow:
    settled = [each for each in answers if each.is_settled(now_us)]
    labels = [_label(each, known) for each in settled]
    score = np.array([each.score for each, label in zip(settled, labels, strict=True) if label is not None])
    label = np.array([each for each in labels if each is not None], dtype=np.bool_)
    said, happened = math.fsum(score), int(label.sum())
    both = 0 < happened < len(label)
    name, threshold = max(thresholds.items(), key=lambda each: each[1], default=(None, None))
    flagged = score >= threshold if threshold is not None else None
    return PerformanceRow(
        *served,
        question=question,
        label_delay_days=LABELS[question].delay_days,
        predictions=len(answers),
        pending=len(answers) - len(settled),
        unobserved=len(settled) - len(label),
        settled=len(label),
        happened=happened,
        said=said,
        said_to_happened=said / happened if happened else None,
        average_precision=evaluation.average_precision(label, score) if both else None,
        roc_auc=evaluation.roc_auc(label, score) if both else None,
        brier=evaluation.brier(label, score) if len(label) else None,
        threshold_name=name,
        threshold=threshold,
        flagged=None if flagged is None else int(flagged.sum()),
        precision_at_threshold=float(label[flagged].mean()) if flagged is not None and flagged.any() else None,
        state=_state(said, happened, limits),
    )


def _label(answer: Answer, known: Known) -> bool | None:
    """What became of it within the delay; None where nobody can tell."""
    if answer.event_id is None or answer.event_id not in known:
        return None
    delay_days, meaning = LABELS[answer.question]
    after = known[answer.event_id]
    came = after is not None and after.at_us <= answer.occurred_us + delay_days * DAY_US
    if meaning is Meaning.IT_SUCCEEDS:
        return after.succeeded if came and after is not None else None
    return came if meaning is Meaning.IT_HAPPENS else not came


def _state(said: float, happened: int, limits: CalibrationLimits) -> State:
    if max(said, happened) < limits.least_events:
        return State.UNKNOWN
    return limits.state(max(said / happened, happened / said) if said and happened else math.inf)
