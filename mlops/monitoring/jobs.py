"""The jobs from end to end: read what is there, compare, write what was found, say it."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.monitoring.adapters.kafka import Topic, event_arrivals, score_arrivals
from mlops.monitoring.adapters.postgresql import Findings
from mlops.monitoring.drift import Drift, ProfileOf
from mlops.monitoring.performance import Answers, performance, settled_events
from mlops.monitoring.predictions import Period, Prediction, Reader, day_of
from mlops.monitoring.replay import Arrival
from mlops.monitoring.report import Told, skew_rows, told_of_drift, told_of_skew
from mlops.monitoring.skew import Skew
from mlops.monitoring.thresholds import Thresholds

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of what is read."""

    predictions: str = "inference.predictions"
    normalized: str = "payments.normalized"
    decisions: str = "payments.decisions"


@dataclass(frozen=True, slots=True)
class Watch:
    """What a job is given. `now_us` ends the last of the days that are looked at, and says which labels are known."""

    kafka: Mapping[str, Any]
    topics: Topics
    findings: Findings
    thresholds: Thresholds
    days: int
    now_us: int

    def skew(self) -> Told:
        """Compare what models were given with the stream, and write a row for each feature, version and day."""
        log = self._log()
        events = Topic(self.kafka, self.topics.normalized, UnifiedPaymentEvent)
        scores = Topic(self.kafka, self.topics.decisions, PaymentDecision)
        period = self._period(log, events)
        served = [each for each in _predictions(log) if period.holds(each)]
        lag_us = round(self.thresholds.race.seconds * _MILLION)
        found = Skew(served, lag_us)
        found.run(self._stream(events, scores))
        rows = skew_rows(found.by_feature, self.thresholds)
        self.findings.write(rows)
        return told_of_skew(rows, len(served))

    def drift(self, profile_of: ProfileOf) -> Told:
        """Compare days with what judged the model, and answers with what came of them; write a row for each."""
        drift, answers, log = Drift(profile_of, self.thresholds), Answers(), self._log()
        period, whole_from = self._period(log), _first_whole_day(log)
        for each in _predictions(log):
            if not each.is_of_the_judged:
                continue
            if whole_from is None or each.served.day >= whole_from:
                answers.add(each)
            if period.holds(each):
                drift.add([each])
        known = {
            question: self.findings.first_after(question, event_ids)
            for question, event_ids in settled_events(answers.answers, self.now_us).items()
        }
        versions = {each.served[:2] for each in answers.answers}
        profiles = {version: profile_of(*version) for version in versions}
        thresholds = {version: each.thresholds for version, each in profiles.items() if each is not None}
        results = performance(answers.answers, known, thresholds, self.thresholds.calibration, self.now_us)
        rows = [*drift.rows(), *results]
        self.findings.write(rows)
        return told_of_drift(rows, drift.without_profile)

    def _log(self) -> Topic[PredictionLogged]:
        return Topic(self.kafka, self.topics.predictions, PredictionLogged)

    def _stream(self, events: Topic[UnifiedPaymentEvent], scores: Topic[PaymentDecision]) -> Iterator[Arrival]:
        """All that ever arrived."""
        of_events = _continued(self.findings.events, events.complete_from_us, event_arrivals(events))
        of_scores = _continued(self.findings.scores, scores.complete_from_us, score_arrivals(scores))
        return heapq.merge(of_events, of_scores, key=lambda each: each.at_us)

    def _period(self, *topics: Topic[Any]) -> Period:
        return Period.ending(day_of(self.now_us), self.days, _first_whole_day(*topics))


def _predictions(log: Topic[PredictionLogged]) -> Iterator[Prediction]:
    reader = Reader()
    return (reader.read(message) for _, message in log)


def _continued(
    stored: Callable[[int], Iterator[Arrival]], begin_us: int | None, arrivals: Iterator[Arrival]
) -> Iterator[Arrival]:
    """What the topic no longer has, from where it is stored, and then what it has."""
    if begin_us is None:
        yield from arrivals
    else:
        yield from stored(begin_us)
        yield from (each for each in arrivals if each.at_us >= begin_us)


def _first_whole_day(*topics: Topic[Any]) -> date | None:
    """A day of which a topic has lost a part keeps the row that it has."""
    lost_until_us = max((each.complete_from_us for each in topics if each.complete_from_us is not None), default=None)
    return None if lost_until_us is None else date.fromordinal(day_of(lost_until_us).toordinal() + 1)
