"""What two sides decide otherwise, counted: flips, payments and money at stake, by segment, with examples. Pure.

Money is counted in minor units by currency and never added up across currencies. A payment counts once wherever it is
counted, however many decisions on it flip: two events may tell of one, and a failed one is decided on at every try.
"""

import heapq
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tidegate.inference.v1.assessment_service_pb2 import Assessment
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import microseconds
from services.inference.replay.past import Asked, question_name
from services.inference.replay.readings import Reading, flip, reading
from services.inference.replay.segments import about_usd, segments
from services.inference.serving import QuestionName, Serving

EXAMPLES_KEPT: Final = 5
# Bounds of the groups that shifts of a probability are counted in.
SHIFTS: Final = (-0.5, -0.2, -0.1, -0.05, -0.02, -0.01, -0.001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

Money = Mapping[str, int]
Labels = Mapping[str, bool]
"""By payment whether it was fraud, as far as that is known."""


class Example(NamedTuple):
    """One decision that flips; nothing in it says who paid with which card."""

    payment_id: str
    event_id: str
    occurred_us: int
    amount_cents: int
    currency: str
    segments: Mapping[str, str]
    before: Reading
    after: Reading
    fraud: bool | None


@dataclass(slots=True)
class Stake:
    """Payments and their money; each payment once."""

    payments: set[str] = field(default_factory=set)
    money: Counter[str] = field(default_factory=Counter)
    # Of the payments those that are known to have been fraud, and to have been honest.
    frauds: int = 0
    honest: int = 0

    def add(self, event: UnifiedPaymentEvent, fraud: bool | None) -> None:  # noqa: FBT001 - what is known of it
        """One payment more."""
        if event.payment_id in self.payments:
            return
        self.payments.add(event.payment_id)
        self.money[event.currency] += event.amount_cents
        self.frauds += fraud is True
        self.honest += fraud is False


@dataclass(slots=True)
class Flips:
    """Decisions that flip in one way."""

    decisions: int = 0
    stake: Stake = field(default_factory=Stake)
    _dearest: list[tuple[int, int, int, Example]] = field(default_factory=list)

    def add(self, example: Example, event: UnifiedPaymentEvent) -> None:
        """One more; the dearest are kept as examples, a payment once."""
        if event.payment_id not in self.stake.payments:
            usd = about_usd(event.amount_cents, event.currency)
            dear = (-1 if usd is None else usd, event.amount_cents, -self.decisions, example)
            keep = heapq.heappush if len(self._dearest) < EXAMPLES_KEPT else heapq.heappushpop
            keep(self._dearest, dear)
        self.decisions += 1
        self.stake.add(event, example.fraud)

    @property
    def examples(self) -> Sequence[Example]:
        """The dearest first."""
        return [example for *_, example in sorted(self._dearest, key=lambda each: each[:3], reverse=True)]


@dataclass(slots=True)
class Part:
    """One part of a dimension: decisions asked for, and those that flip."""

    asked: int = 0
    decisions: int = 0
    stake: Stake = field(default_factory=Stake)


@dataclass(slots=True)
class QuestionDiff:
    """All answers to one question."""

    asked: int = 0
    # Of these, those that a model answered on both sides.
    by_models: int = 0
    by_models_flipped: int = 0
    flipped: int = 0
    stake: Stake = field(default_factory=Stake)
    flips: defaultdict[tuple[str, str], Flips] = field(default_factory=lambda: defaultdict(Flips))
    effects: defaultdict[str, Flips] = field(default_factory=lambda: defaultdict(Flips))
    parts: defaultdict[tuple[str, str], Part] = field(default_factory=lambda: defaultdict(Part))
    # Decisions by how far the probability moved: below each bound of SHIFTS, and above the last.
    shifts: list[int] = field(default_factory=lambda: [0] * (len(SHIFTS) + 1))
    # What is to be done, before and after.
    choices: Counter[str] = field(default_factory=Counter)
    choices_after: Counter[str] = field(default_factory=Counter)
    # Who answered, and why rules did, on each side.
    before: Counter[tuple[str, str]] = field(default_factory=Counter)
    after: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(
        self, question: QuestionName, event: UnifiedPaymentEvent, sides: tuple[Reading, Reading], labels: Labels
    ) -> None:
        """One decision as both sides make it."""
        before, after = sides
        self._count(before, after)
        changed = flip(before, after)
        fraud = labels.get(event.payment_id) if question == "fraud" else None
        found = segments(event)
        for dimension in found.items():
            self.parts[dimension].asked += 1
        if changed is None:
            return
        self.flipped += 1
        self.by_models_flipped += before.by_model and after.by_model
        example = Example(
            event.payment_id,
            event.event_id,
            microseconds(event.provider_created_at),
            event.amount_cents,
            event.currency,
            found,
            before,
            after,
            fraud,
        )
        self.flips[changed].add(example, event)
        self.effects[effect(question, *changed)].add(example, event)
        for dimension in found.items():
            self.parts[dimension].decisions += 1
            self.parts[dimension].stake.add(event, fraud)
        self.stake.add(event, fraud)

    @property
    def moved(self) -> bool:
        """Whether any probability moved."""
        return sum(self.shifts) > self.shifts[len(SHIFTS) // 2]

    def _count(self, before: Reading, after: Reading) -> None:
        self.asked += 1
        self.by_models += before.by_model and after.by_model
        self.choices[before.choice] += 1
        self.choices_after[after.choice] += 1
        self.before[before.made_by, before.cause] += 1
        self.after[after.made_by, after.cause] += 1
        # Points of rules are no probabilities: only like is compared with like.
        if before.by_model == after.by_model and before.probability is not None and after.probability is not None:
            self.shifts[bisect_right(SHIFTS, after.probability - before.probability)] += 1


class Diff:
    """Two sides over a past, by question."""

    def __init__(self, labels: Labels | None = None) -> None:
        self.labelled = labels is not None
        self.questions: defaultdict[QuestionName, QuestionDiff] = defaultdict(QuestionDiff)
        self._labels = labels or {}

    def add(self, asked: Asked, before: Assessment, after: Assessment) -> None:
        """Both sides' answers to all that was asked about an event."""
        for each in asked.item.questions:
            question = question_name(each)
            if question == "fraud" and asked.event.event_type == _FAILED:
                continue  # asked for the plan's sake: there is no money to hold, and the plan is compared itself
            sides = reading(question, before), reading(question, after)
            self.questions[question].add(question, asked.event, sides, self._labels)


def difference(questions: Iterable[Asked], before: Serving, after: Serving, labels: Labels | None = None) -> Diff:
    """Ask both sides about everything, each event by itself and at its own moment, as the workflow does."""
    diff = Diff(labels)
    for asked in questions:
        sides = (side.handler.assess([asked.item], asked.at, [asked.features]) for side in (before, after))
        diff.add(asked, *(response.assessments[0] for response in sides))
    return diff


def effect(question: QuestionName, before: str, after: str) -> str:
    """What a flip means to the business."""
    if question == "fraud":
        return _HELD.get((before == "allow", after == "allow"), "held otherwise")
    if question == "retry":
        return _RETRIED[before.startswith("retry"), after.startswith("retry")]
    if question == "churn":
        return "at a higher risk" if _RISKS.index(after) > _RISKS.index(before) else "at a lower risk"
    return "recovered by another plan"


_FAILED: Final = "payment.failed"
_RISKS: Final = ("low", "medium", "high")
_HELD: Final = {(True, False): "newly held", (False, True): "newly let through"}
_RETRIED: Final = {
    (False, True): "newly retried",
    (True, False): "no longer retried",
    (True, True): "retried at another time",
    (False, False): "not retried, for another reason",
}
