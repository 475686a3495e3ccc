"""Compares what models were given with what the transform makes of the stream at the event's place in it. Pure.

The offline value for an event is that of everything that arrived before it, and of the event itself, at the event's
time (ADR 0008). Serving reads a store that follows the stream: what it has not come to yet, and what came between the
event and the answer, are races. A value is put down to a race only where a state that the store may have held at that
moment gives exactly the value, and fits the entity's other values better; everything else is skew.
"""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Final, TypeAlias

from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.catalog import FEATURES, VIEW_OF, Entity, names
from mlops.features.facts import PaymentFact, entity_keys
from mlops.features.payment import event_features
from mlops.features.transform import Values, apply, features
from mlops.monitoring.predictions import Prediction, Served
from mlops.monitoring.replay import Arrival, EntityKey, Held, Replay, nearest
from mlops.registry.retry.inputs import situation

# What a payment shows by itself goes by this view's name in the log.
OWN_VIEW: Final = "payment"
# Of what a retry model is told of a decline, what the event alone says. Its other inputs are the attempts in the
# database, and the moment that it chose itself.
OF_DECLINE: Final = (
    "decline_class",
    "failure_code",
    "network_decline_code",
    "network_advice_code",
    "provider_advice_code",
    "card_brand",
    "card_country",
)
# The broker's clock and the one that dates predictions may differ by this much.
CLOCKS_US: Final = 500_000
_TOLERANCE: Final = 1e-9
_MOST_EXAMPLES: Final = 5
_SCORES: Final = "payments.decisions"

_OF_SCORES: Final = frozenset(feature.name for feature in FEATURES if feature.source == _SCORES)
_ENTITY_OF_VIEW: Final[Mapping[str, Entity]] = {view.name: entity for entity, view in VIEW_OF.items()}

FeatureKey: TypeAlias = "tuple[Served, str]"


class Kind(StrEnum):
    """What became of one value."""

    EQUAL = "equal"
    # Within 1e-9 of it.
    CLOSE = "close"
    # As a store gives it that had not yet come to the latest facts before the event.
    BEHIND = "behind"
    # As a store gives it that had also what came after the event and before the answer.
    AHEAD = "ahead"
    MISSING_ONLINE = "missing_online"
    MISSING_OFFLINE = "missing_offline"
    DIFFERENT = "different"


SKEWED: Final = (Kind.MISSING_ONLINE, Kind.MISSING_OFFLINE, Kind.DIFFERENT)
RACED: Final = (Kind.BEHIND, Kind.AHEAD)


class Reason(StrEnum):
    """Why a value was not compared."""

    NO_EVENT_ID = "no_event_id"
    EVENT_NOT_IN_TOPIC = "event_not_in_topic"
    # The store was away or being rebuilt, the value was stale: no model was given it.
    RULES_ANSWERED = "rules_answered"
    # Neither of the catalog nor of the payment itself.
    NO_OFFLINE_VALUE = "no_offline_value"


@dataclass(slots=True)
class FeatureSkew:
    """How one feature did with one version on one day."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    left_out: Counter[Reason] = field(default_factory=Counter)
    stale: int = 0
    # Of the values that skew and are known on both sides.
    largest_difference: float | None = None
    # Ids of events with skew.
    examples: list[str] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """How many values were compared."""
        return self.kinds.total()

    def share(self, kinds: Iterable[Kind]) -> float | None:
        """Of what was compared; None where nothing was."""
        return sum(self.kinds[kind] for kind in kinds) / self.compared if self.compared else None

    def judged(self, kind: Kind, event_id: str, online: float, offline: float) -> None:
        """Count one value."""
        self.kinds[kind] += 1
        if kind not in SKEWED:
            return
        if kind is Kind.DIFFERENT:
            self.largest_difference = max(self.largest_difference or 0.0, abs(online - offline))
        if event_id not in self.examples and len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(event_id)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Values of one entity that differ, until all that the store may have had by then has come."""

    prediction: Prediction
    event_id: str
    key: EntityKey
    fact: PaymentFact
    arrived_us: int
    # Positions of the values, and what they should be.
    offline: Mapping[int, float]

    @property
    def until_us(self) -> int:
        """The last moment at which the store can have been read."""
        return max(self.prediction.predicted_us + CLOCKS_US, self.arrived_us)


class Skew:
    """Goes through the stream once. `lag_us` is how far the store may be behind it."""

    def __init__(self, predictions: Iterable[Prediction], lag_us: int) -> None:
        self.by_feature: defaultdict[FeatureKey, FeatureSkew] = defaultdict(FeatureSkew)
        self._lag_us = lag_us + CLOCKS_US
        self._replay = Replay(self._lag_us + CLOCKS_US)
        self._doubts: list[tuple[int, int, _Doubt]] = []
        self._order = count()
        self._asked: defaultdict[str, list[Prediction]] = defaultdict(list)
        for prediction in predictions:
            self._ask(prediction)

    def run(self, arrivals: Iterable[Arrival]) -> None:
        """Compare everything; once. Arrivals have to begin with the first that ever was."""
        for arrival in arrivals:
            self._settle(arrival.at_us)
            self._replay.arrive(arrival)
            if arrival.event is not None and (asked := self._asked.pop(arrival.fact.event_id, None)):
                self._compare(arrival, asked)
        self._settle(None)
        for predictions in self._asked.values():
            for prediction in predictions:
                self._leave_out(prediction, range(len(prediction.names)), Reason.EVENT_NOT_IN_TOPIC)

    def _ask(self, prediction: Prediction) -> None:
        for position in prediction.stale:
            self._at(prediction, position).stale += 1
        if not prediction.used:
            self._leave_out(prediction, range(len(prediction.names)), Reason.RULES_ANSWERED)
        elif prediction.event_id is None:
            self._leave_out(prediction, range(len(prediction.names)), Reason.NO_EVENT_ID)
        else:
            self._asked[prediction.event_id].append(prediction)

    def _at(self, prediction: Prediction, position: int) -> FeatureSkew:
        return self.by_feature[prediction.served, prediction.names[position]]

    def _leave_out(self, prediction: Prediction, positions: Iterable[int], reason: Reason) -> None:
        for position in positions:
            self._at(prediction, position).left_out[reason] += 1

    def _compare(self, arrival: Arrival, asked: Sequence[Prediction]) -> None:
        offline = self._offline(arrival)
        for prediction in asked:
            doubts: defaultdict[str, dict[int, float]] = defaultdict(dict)
            for position, (name, online) in enumerate(zip(prediction.names, prediction.values, strict=True)):
                if name not in offline:
                    self._leave_out(prediction, (position,), Reason.NO_OFFLINE_VALUE)
                elif (kind := _kind(online, offline[name])) in {Kind.EQUAL, Kind.CLOSE}:
                    self._at(prediction, position).judged(kind, arrival.fact.event_id, online, offline[name])
                else:
                    doubts[name.partition(":")[0]][position] = offline[name]
            for view, positions in doubts.items():
                self._doubt(prediction, arrival, view, positions)

    def _offline(self, arrival: Arrival) -> dict[str, float]:
        """By view and name; NaN where there is no value."""
        fact, keys = arrival.fact, entity_keys(arrival.fact)
        values: dict[str, Values] = {OWN_VIEW: {} if arrival.event is None else _shown(arrival.event)}
        for entity, view in VIEW_OF.items():
            if entity in keys:
                state = self._replay.state((entity, keys[entity]))
                values[view.name] = features(state, fact.occurred_at_us)
            else:
                values[view.name] = dict.fromkeys(names(entity))
        return {f"{view}:{name}": _number(value) for view, of in values.items() for name, value in of.items()}

    def _doubt(self, prediction: Prediction, arrival: Arrival, view: str, offline: Mapping[int, float]) -> None:
        """Where no state of the store bears on it, or the event names no such entity, it is skew at once."""
        fact, entity = arrival.fact, _ENTITY_OF_VIEW.get(view)
        keys = entity_keys(fact)
        if entity is None or entity not in keys:
            self._judge(prediction, fact.event_id, offline, {})
            return
        doubt = _Doubt(prediction, fact.event_id, (entity, keys[entity]), fact, arrival.at_us, offline)
        heapq.heappush(self._doubts, (doubt.until_us, next(self._order), doubt))

    def _settle(self, before_us: int | None) -> None:
        """Decide what was waiting for facts up to a moment; all of it at the end."""
        while self._doubts and (before_us is None or self._doubts[0][0] < before_us):
            _, _, doubt = heapq.heappop(self._doubts)
            start_us = min(doubt.prediction.predicted_us, doubt.arrived_us) - self._lag_us
            held = self._replay.between(doubt.key, start_us, doubt.until_us)
            self._judge(doubt.prediction, doubt.event_id, doubt.offline, _races(doubt, held))

    def _judge(
        self, prediction: Prediction, event_id: str, offline: Mapping[int, float], races: Mapping[int, Kind]
    ) -> None:
        for position, value in offline.items():
            online = prediction.values[position]
            kind = races.get(position) or _kind(online, value)
            self._at(prediction, position).judged(kind, event_id, online, value)


def _races(doubt: _Doubt, held: Sequence[Held]) -> Mapping[int, Kind]:
    """Positions that a state which the store may have held explains.

    One state has to do for all values that attempts make, and one for those that scores make, which come by a stream of
    their own: the one that agrees with most of the entity's values, if those are more than the offline state has.
    """
    found: dict[int, Kind] = {}
    view = VIEW_OF[doubt.key[0]].name
    of_entity = [at for at, name in enumerate(doubt.prediction.names) if name.partition(":")[0] == view]
    for of_scores in (False, True):
        positions = [at for at in of_entity if (_bare(doubt, at) in _OF_SCORES) == of_scores]
        agreed = [at for at in positions if at not in doubt.offline]
        for each in nearest(held, doubt.arrived_us) if len(agreed) < len(positions) else ():
            agreeing = _agreeing(doubt, each, positions)
            if len(agreeing) > len(agreed):
                agreed = agreeing
                kind = Kind.BEHIND if each.since_us < doubt.arrived_us else Kind.AHEAD
                found = {at: was for at, was in found.items() if at not in positions}
                found |= {at: kind for at in agreeing if at in doubt.offline}
    return found


def _agreeing(doubt: _Doubt, held: Held, positions: Sequence[int]) -> list[int]:
    values = features(apply(held.state, doubt.fact), doubt.fact.occurred_at_us)
    return [
        at
        for at in positions
        if _kind(doubt.prediction.values[at], _number(values.get(_bare(doubt, at)))) in {Kind.EQUAL, Kind.CLOSE}
    ]


def _bare(doubt: _Doubt, position: int) -> str:
    return doubt.prediction.names[position].partition(":")[2]


def _shown(event: UnifiedPaymentEvent) -> Values:
    """What the event shows by itself, in the words of whichever model."""
    own = event_features(event)
    decline = situation(event, [event.provider_created_at.seconds], own, {})
    return own | {name: decline.value(name) for name in OF_DECLINE}


def _kind(online: float, offline: float) -> Kind:
    """What two values are to each other, without looking for a cause."""
    if online == offline:
        return Kind.EQUAL
    if math.isnan(online):
        return Kind.EQUAL if math.isnan(offline) else Kind.MISSING_ONLINE
    if math.isnan(offline):
        return Kind.MISSING_OFFLINE
    close = math.isclose(online, offline, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return Kind.CLOSE if close else Kind.DIFFERENT


def _number(value: float | None) -> float:
    return math.nan if value is None else value
