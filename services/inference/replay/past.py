"""The past as the workflow asked about it: each event of a window with its questions and with what was known. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.assessment_service_pb2 import AssessmentItem, Question
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import PaymentFact, asked_fact, entity_keys, microseconds, payment_fact, score_fact
from mlops.features.online import NOTHING, Stored, advanced
from services.inference.features import NOT_READ, EntityKey, Features, features_of, keys_of
from services.inference.replay.attempts import KnownFailures
from services.inference.serving import QUESTIONS, QuestionName
from workflows.payment_event.questions import asks_for_retries, assessment_item, with_attempts

Told: TypeAlias = UnifiedPaymentEvent | PaymentDecision
"""What the streams hold: an event, or a decision for the fraud score in it."""

LooksUp: TypeAlias = Callable[[Collection[QuestionName]], bool]


@dataclass(frozen=True, slots=True)
class Window:
    """From the first moment to before the last, microseconds since 1970: of arrival, since that is when one decides."""

    since_us: int
    until_us: int

    def has(self, moment_us: int) -> bool:
        """Whether a moment lies in it."""
        return self.since_us <= moment_us < self.until_us


class Asked(NamedTuple):
    """One event with all that its answers depend on."""

    event: UnifiedPaymentEvent
    item: AssessmentItem
    features: Features
    at: Timestamp


@dataclass(slots=True)
class Counts:
    """What became of the events that were read."""

    before: int = 0
    within: int = 0
    after: int = 0
    duplicates: int = 0
    scores: int = 0
    first_us: int | None = None
    last_us: int | None = None


class Past:
    """Goes through what was told, in the order of arrival, once. `counts` is whole when `questions` has ended.

    Features are made by the stream's own code of everything that came before an event, and by the code that serves of
    the event itself; attempts by the orchestrator's. An event that comes a second time is not decided again.
    """

    def __init__(self, window: Window, looks_up: LooksUp) -> None:
        self.counts = Counts()
        self._window = window
        self._looks_up = looks_up
        self._held: dict[EntityKey, Stored] = {}
        self._failures = KnownFailures()
        self._decided: set[str] = set()

    def questions(self, told: Iterable[Told]) -> Iterator[Asked]:
        """What is to be asked about the events of the window."""
        for each in told:
            if isinstance(each, PaymentDecision):
                self._take_score(each)
                continue
            arrived_us = microseconds(each.processed_at)
            if arrived_us >= self._window.until_us:
                self.counts.after += 1
                continue
            if self._is_new(each, arrived_us) and (item := assessment_item(each)) is not None:
                yield self._asked(each, item)
            self._failures.note(each)
            self._apply(payment_fact(each))

    def _take_score(self, decision: PaymentDecision) -> None:
        if (fact := score_fact(decision)) is not None and fact.arrived_at_us < self._window.until_us:
            self.counts.scores += 1
            self._apply(fact)

    def _is_new(self, event: UnifiedPaymentEvent, arrived_us: int) -> bool:
        """Count an event; whether it is of the window and comes for the first time."""
        if event.event_id in self._decided:
            self.counts.duplicates += 1
            return False
        self._decided.add(event.event_id)
        if not self._window.has(arrived_us):
            self.counts.before += 1
            return False
        counts = self.counts
        counts.within += 1
        counts.first_us = arrived_us if counts.first_us is None else min(counts.first_us, arrived_us)
        counts.last_us = arrived_us if counts.last_us is None else max(counts.last_us, arrived_us)
        return True

    def _asked(self, event: UnifiedPaymentEvent, item: AssessmentItem) -> Asked:
        if asks_for_retries(item):
            item = with_attempts(item, self._failures.before(event))
        features = NOT_READ
        if self._looks_up([question_name(question) for question in item.questions]):
            fact = asked_fact(item.payment, microseconds(event.processed_at))
            features = features_of(fact, {key: self._held.get(key, NOTHING) for key in keys_of([fact])})
        return Asked(event, item, features, event.processed_at)

    def _apply(self, fact: PaymentFact) -> None:
        for key in entity_keys(fact).items():
            self._held[key] = advanced(self._held.get(key, NOTHING), key[0], fact)


def question_name(question: "Question") -> QuestionName:
    """A question of the contract by the name that models have."""
    name = Question.Name(question).removeprefix("QUESTION_").lower()
    return next(each for each in QUESTIONS if each == name)
