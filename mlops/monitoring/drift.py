"""How a day's features and scores lie against the rows that judged the model, by version and day. Pure."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from mlops.monitoring.distances import Ks, Psi, Tally, ks, psi
from mlops.monitoring.predictions import RETRY, Names, Prediction, Served
from mlops.monitoring.rows import FeatureDriftRow, ScoreDriftRow
from mlops.monitoring.thresholds import Limits, State, Thresholds, worst
from mlops.registry.profile import Distribution, Profile
from mlops.registry.retry.inputs import MOMENT

_AT_ONCE: Final = 1_000
_CHOSEN: Final = frozenset(MOMENT)

ProfileOf: TypeAlias = Callable[[str, str], Profile | None]
"""By name and version; None where the training of that version kept none."""


class _Day:
    """The tallies of one version's day.

    A retry model answers of the moment that it chose, and its reference is of moments that nothing chose: score and
    what depends on the moment lie elsewhere whenever it works, and are not compared.
    """

    def __init__(self, question: str, names: Names, profile: Profile) -> None:
        self.names = names
        self.profile = profile
        self.chooses = question == RETRY
        self.score = Tally(profile.score)
        self.said = 0.0
        self._references = [self._reference(_bare(name)) for name in names]
        self._tallies = [None if each is None else Tally(each) for each in self._references]
        self._values: list[Sequence[float]] = []
        self._scores: list[float] = []

    def _reference(self, name: str) -> Distribution | None:
        return None if self.chooses and name in _CHOSEN else self.profile.features.get(name)

    def add(self, prediction: Prediction) -> None:
        self._values.append(prediction.values)
        self._scores.append(prediction.score)
        if len(self._values) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if not self._values:
            return
        for tally, column in zip(self._tallies, np.array(self._values).T, strict=True):
            if tally is not None:
                tally.add(column)
        self.score.add(np.array(self._scores))
        self.said += math.fsum(self._scores)
        self._values, self._scores = [], []

    def features(self) -> Iterator[tuple[str, Distribution, Tally]]:
        """Those that the profile has."""
        for name, reference, tally in zip(self.names, self._references, self._tallies, strict=True):
            if reference is not None and tally is not None:
                yield name, reference, tally


class Drift:
    """Counts predictions of models, answers and challengers' alike.

    What rules answered is none of a model, nor is it an answer that there is nothing to answer.
    """

    def __init__(self, profile_of: ProfileOf, thresholds: Thresholds) -> None:
        self._profile_of = profile_of
        self._thresholds = thresholds
        self._profiles: dict[tuple[str, str], Profile | None] = {}
        self._days: dict[tuple[Served, Names], _Day] = {}

    @property
    def without_profile(self) -> Sequence[str]:
        """Versions that nothing can be said of."""
        return sorted(f"{name} version {number}" for (name, number), each in self._profiles.items() if each is None)

    def add(self, predictions: Iterable[Prediction]) -> None:
        """Count these."""
        for prediction in predictions:
            if prediction.fallback or prediction.says_nothing:
                continue
            if (profile := self._profile(prediction.served)) is None:
                continue
            key = (prediction.served, prediction.names)
            if key not in self._days:
                self._days[key] = _Day(prediction.question, prediction.names, profile)
            self._days[key].add(prediction)

    def rows(self) -> Iterator[FeatureDriftRow | ScoreDriftRow]:
        """What was found."""
        for (served, _), day in self._days.items():
            day.flush()
            for name, reference, tally in day.features():
                yield self._feature(served, name, reference, tally)
            if not day.chooses:
                yield self._score(served, day)

    def _profile(self, served: Served) -> Profile | None:
        key = (served.model_name, served.model_version)
        if key not in self._profiles:
            self._profiles[key] = self._profile_of(*key)
        return self._profiles[key]

    def _feature(self, served: Served, name: str, reference: Distribution, tally: Tally) -> FeatureDriftRow:
        found = _distances(reference, tally, self._thresholds)
        return FeatureDriftRow(
            *served,
            name,
            predictions=tally.rows,
            missing_share=tally.missing / tally.rows,
            reference_missing_share=reference.missing / reference.rows,
            psi=found.psi.value if found.psi else None,
            psi_by_chance=found.psi.by_chance if found.psi else None,
            ks=found.ks.value if found.ks else None,
            ks_p_value=found.ks.p_value if found.ks else None,
            state=found.state,
        )

    def _score(self, served: Served, day: _Day) -> ScoreDriftRow:
        found = _distances(day.profile.score, day.score, self._thresholds)
        return ScoreDriftRow(
            *served,
            predictions=day.score.rows,
            mean_score=day.said / day.score.rows,
            psi=found.psi.value if found.psi else None,
            psi_by_chance=found.psi.by_chance if found.psi else None,
            ks=found.ks.value if found.ks else None,
            ks_p_value=found.ks.p_value if found.ks else None,
            state=found.state,
        )


class _Distances(NamedTuple):
    psi: Psi | None
    ks: Ks | None
    state: State


def _distances(reference: Distribution, tally: Tally, thresholds: Thresholds) -> _Distances:
    index, distance = psi(reference, tally, thresholds.chance), ks(reference, tally)
    return _Distances(index, distance, worst((_psi_state(index, thresholds.psi), _ks_state(distance, thresholds))))


def _bare(name: str) -> str:
    """Without its view."""
    return name.rpartition(":")[2]


def _psi_state(index: Psi | None, limits: Limits) -> State:
    """Too few rows to tell an alert from chance are too few to call anything ok."""
    if index is None or (index.value <= index.by_chance and index.by_chance > limits.alert):
        return State.UNKNOWN
    return limits.state(index.value) if index.value > index.by_chance else State.OK


def _ks_state(distance: Ks | None, thresholds: Thresholds) -> State:
    """Where nothing is known of a feature, the index, which counts the unknown, says what there is to say."""
    if distance is None or distance.p_value > thresholds.chance:
        return State.OK
    return thresholds.ks.state(distance.value)
