"""A candidate beside who serves and a simple baseline: what people read of it, and its way to the registry."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlops.registry.artifact import TrainedModel
from mlops.registry.evidence import Estimate, Evidence
from mlops.registry.policy import champion_of
from mlops.registry.ports import CHAMPION
from mlops.registry.store import Registry
from mlops.training.attempts import Split
from mlops.training.cards import Purpose
from mlops.training.history import fingerprint
from mlops.training.judging import Answers, judge
from mlops.training.publishing import Judged, publish

Champion = tuple[str, TrainedModel]
"""A version's number and the model."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trained model, what judged it, and the baseline's evidence where a champion was the other."""

    judged: Judged
    baseline: Evidence
    segments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For each way to divide the rows that judged it, the part each row belongs to."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """How a model that can serve is made."""

    name: str
    """As it is registered."""
    purpose: Purpose
    judged: "Judging"
    report: Callable[[Outcome], Iterator[str]]
    """The lines that people read."""


class Judging(Protocol):
    """Trains on a history and judges on its last settled days."""

    def __call__(self, history: Path, cache: Path, champion: Champion | None, *, days_before_end: int = 0) -> Outcome:
        """Judged against a champion where there is one; ValueError where the history lacks something or is too short.

        `days_before_end` is for choosing a recipe: all is as it was so many days before the history's end.
        """
        ...


def compared(
    split: Split,
    model: TrainedModel,
    simple: Answers,
    champion: Champion | None,
    *,
    threshold: str,
    history: Path,
) -> Outcome:
    """The model beside a simple one and, where there is one, who serves; each acts from its threshold on."""

    def answers(name: str, of: TrainedModel) -> Answers:
        return Answers(name, of.predict(split.tested.matrix(of.features)), of.thresholds[threshold])

    def against(other: Answers) -> Evidence:
        return judge(split.trained, split.tested, own, other, features=model.features, segments=split.segments)

    own = answers("candidate", model)
    baseline = against(simple)
    evidence, said = baseline, [own, simple]
    if champion is not None:
        other = answers(champion_of(champion[0]), champion[1])
        evidence, said = against(other), [own, simple, other]
    rows = split.tested.matrix(model.features)
    return Outcome(
        Judged(model, evidence, split.tested.label, said, fingerprint(history), rows), baseline, split.segments
    )


def champion_in(registry: Registry, name: str) -> Champion | None:
    """The version that serves and its model; None where none does.

    Raises:
        ArtifactError: what serves cannot be loaded by this code.
        RegistryError: the server is away.
    """
    version = registry.by_alias(name, CHAMPION)
    if version is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return version.number, TrainedModel.load(registry.fetch(version, Path(folder)))


def table(outcome: Outcome, name: str) -> Iterator[str]:
    """Yield the figures with their gains, in lines that people read."""
    evidence, baseline = outcome.judged.evidence, outcome.baseline
    yield f"{'':18} {name:>31}   {'gain over ' + baseline.against:>34}"
    for measure, figure in evidence.figures.items():
        yield f"{measure:18} {_interval(figure)}   {_interval(baseline.gain[measure], '+')}"
    if evidence is not baseline:
        yield f"{'':18} {'':31}   {'gain over ' + evidence.against:>34}"
        yield from (f"{measure:18} {'':31}   {_interval(gain, '+')}" for measure, gain in evidence.gain.items())


def _interval(figure: Estimate, sign: str = "") -> str:
    return f"{figure.value:{sign}.4f} ({figure.low:{sign}.4f} to {figure.high:{sign}.4f})".rjust(31)


def published(registry: Registry, name: str, outcome: Outcome, purpose: Purpose, started_ms: int) -> str:
    """Log and register the model, and say what became of it."""
    version, new = publish(registry, name, outcome.judged, purpose, started_ms)
    what = "registered as the challenger" if new else "is this very model already: nothing was registered"
    return f"{name} version {version.number} {what}"
