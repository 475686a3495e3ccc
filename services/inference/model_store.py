"""Follows the registry's aliases: fetches a version, loads it beside the one that serves, warms it, and swaps whole."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from services.inference.predictors.models.port import ModelPort
from services.inference.predictors.models.served import ServedModel
from services.inference.serving import ALIASES, MODELS, Alias, Models, QuestionName, fit
from services.runtime.clock import Clock
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.metrics import gauge
from services.runtime.telemetry import logger

# A version that could not be served is tried again after this: its artifact may have come whole by then.
_AGAIN_SECONDS: Final = 60.0
_WARM_UP_ROUNDS: Final = 20
# A file written every few seconds for nothing wears a disk.
_REMEMBERED_SECONDS: Final = 60.0

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class VersionId:
    """One version as its registry knows it. Two registries' versions of one number differ by what they were made of."""

    name: str
    version: str
    # What tells it from another registry's version of that number; in letters that a folder's name may have.
    fingerprint: str


Named = Mapping[tuple[QuestionName, Alias], VersionId]


class Registry(Protocol):
    """Where versions are registered. Every method blocks; NeighbourUnavailableError when it does not answer."""

    def aliased(self, names: Mapping[QuestionName, str]) -> Named:
        """Which versions the aliases stand for now."""
        ...

    def fetch(self, version: VersionId, folder: Path) -> None:
        """Write a version's artifact into an empty folder. UnusableArtifactError where there is none to be had."""
        ...


class Shelf(Protocol):
    """What was fetched and what was named, kept over restarts. Every method blocks."""

    def folder_of(self, version: VersionId, fetch: Callable[[VersionId, Path], None]) -> Path:
        """The folder of a version, fetched where it is not there; whatever `fetch` raises."""
        ...

    def discard(self, version: VersionId) -> None:
        """Forget a version's folder."""
        ...

    def named(self) -> tuple[Named, float]:
        """What `remember` was told last, and when (seconds since 1970); nothing and 0 where it never was."""
        ...

    def remember(self, named: Named, at: float) -> None:
        """Keep which versions the registry named; at a moment in seconds since 1970."""
        ...


class UnusableArtifactError(Exception):
    """A version has no artifact that can be fetched; the message says why and what helps."""


Load = Callable[[Path, VersionId, Alias], ModelPort]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that an alias names and that cannot be served."""

    version: VersionId
    reason: str
    again_at: float


class ModelStore:
    """Keeps `models` true to the aliases. `check` blocks and runs on a thread; `models` is replaced, never changed."""

    def __init__(
        self,
        registry: Registry,
        shelf: Shelf,
        load: Load,
        clock: Clock,
        publish: Callable[[Models], None],
        *,
        interval_seconds: float,
    ) -> None:
        self._registry = registry
        self._shelf = shelf
        self._load = load
        self._clock = clock
        self._publish = publish
        self._interval_seconds = interval_seconds
        self._serving: dict[tuple[QuestionName, Alias], tuple[VersionId, ServedModel]] = {}
        self._refused: dict[tuple[QuestionName, Alias], Refusal] = {}
        self._is_away = False
        self._named: Named | None = None
        self._remembered_at = 0.0
        gauge("tidegate_models_checked_seconds").set(0)

    @property
    def remarks(self) -> list[str]:
        """What is not as the registry wants it, in words; for whoever asks whether this process is ready."""
        told = [
            f"{version.name} {alias}: version {version.version} cannot be served: {reason}"
            for (_, alias), (version, reason) in (
                (key, (refusal.version, refusal.reason)) for key, refusal in sorted(self._refused.items())
            )
        ]
        return [*told, "MLflow does not answer: versions are those that it named last"] if self._is_away else told

    def restore(self) -> None:
        """Serve what was named last, if this machine has it: a restart needs no registry."""
        named, at = self._shelf.named()
        gauge("tidegate_models_checked_seconds").set(at)
        self._follow(named, self._only_kept)
        for key in list(self._refused):
            self._forget_refusal(key)  # what is missing here is fetched as soon as MLflow answers

    async def watch(self) -> None:
        """Check again and again, for as long as the process runs."""
        while True:
            try:
                await asyncio.to_thread(self.check)
            except Exception as error:  # noqa: BLE001 - a stranger's answer: nobody would start this task again
                self._away(error)
            await asyncio.sleep(self._interval_seconds)

    def check(self) -> None:
        """Ask the registry once and serve what it names; whatever fails leaves what serves as it is."""
        try:
            named = self._registry.aliased({question: question for question in MODELS})
            self._follow(named, self._registry.fetch)
        except NeighbourUnavailableError as error:
            self._away(error)
            return
        if self._is_away:
            self._is_away = False
            _log.info("models.recovered")
        at = self._clock.now().timestamp()
        if named != self._named or at - self._remembered_at > _REMEMBERED_SECONDS:
            self._shelf.remember(named, at)
            self._named, self._remembered_at = named, at
        gauge("tidegate_models_checked_seconds").set(at)

    def _away(self, error: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            _log.warning("models.unavailable", error=f"{type(error).__name__}: {error}")

    def _follow(self, named: Named, fetch: Callable[[VersionId, Path], None]) -> None:
        """Each change is published by itself, whole: a slow or a broken one keeps no other back."""
        for key in ((question, alias) for question in MODELS for alias in ALIASES):
            version = named.get(key)
            held = self._serving.get(key)
            if version is None:
                self._withdraw(key)
            elif held is not None and held[0] == version:
                self._forget_refusal(key)
            elif self._may_try(key, version):
                self._replace(key, version, fetch)

    def _may_try(self, key: tuple[QuestionName, Alias], version: VersionId) -> bool:
        refusal = self._refused.get(key)
        return refusal is None or refusal.version != version or self._clock.monotonic() >= refusal.again_at

    def _replace(
        self, key: tuple[QuestionName, Alias], version: VersionId, fetch: Callable[[VersionId, Path], None]
    ) -> None:
        question, alias = key
        try:
            model = fit(question, self._load(self._shelf.folder_of(version, fetch), version, alias))
            warm_up(model)
        except NeighbourUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - an artifact is a stranger's: whatever it does, the old one serves
            self._refuse(key, version, error)
            return
        before = self._serving.get(key)
        self._serving[key] = (version, model)
        self._forget_refusal(key)
        self._swap()
        if before is not None:
            gauge("tidegate_model_since_seconds").remove(version.name, alias, before[0].version)
        gauge("tidegate_model_since_seconds").labels(version.name, alias, version.version).set(
            self._clock.now().timestamp()
        )
        _log.info("model.serving", model=version.name, alias=alias, version=version.version)

    def _refuse(self, key: tuple[QuestionName, Alias], version: VersionId, error: Exception) -> None:
        refusal = self._refused.get(key)
        if refusal is None or refusal.version != version:
            _log.error(
                "model.refused",
                model=version.name,
                alias=key[1],
                version=version.version,
                error=f"{type(error).__name__}: {error}",
            )
        self._shelf.discard(version)
        again_at = self._clock.monotonic() + _AGAIN_SECONDS
        self._refused[key] = Refusal(version, f"{type(error).__name__}: {error}", again_at)
        gauge("tidegate_model_refused").labels(version.name, key[1]).set(1)

    def _forget_refusal(self, key: tuple[QuestionName, Alias]) -> None:
        if (refusal := self._refused.pop(key, None)) is not None:
            gauge("tidegate_model_refused").labels(refusal.version.name, key[1]).set(0)

    def _withdraw(self, key: tuple[QuestionName, Alias]) -> None:
        self._forget_refusal(key)
        if (held := self._serving.pop(key, None)) is not None:
            self._swap()
            gauge("tidegate_model_since_seconds").remove(held[0].name, key[1], held[0].version)
            _log.warning("model.withdrawn", model=held[0].name, alias=key[1], version=held[0].version)

    def _swap(self) -> None:
        self._publish({key: model for key, (_, model) in self._serving.items()})

    @staticmethod
    def _only_kept(version: VersionId, _folder: Path) -> None:
        raise UnusableArtifactError(f"version {version.version} is not on this machine; MLflow has it")


def warm_up(model: ServedModel) -> None:
    """Have it answer before it is asked: the first answers are slow, and a model that cannot answer shows it here."""
    columns = len(model.inputs.full_names)
    for row in (np.full((1, columns), np.nan), np.zeros((1, columns)), np.ones((2, columns))):
        for _ in range(_WARM_UP_ROUNDS):
            verdicts = model.model.judge(row)
        if len(verdicts) != len(row) or any(not 0 <= verdict.probability <= 1 for verdict in verdicts):
            raise UnusableArtifactError("its answer to an example is no probability")
