"""The two sides of a replay: what answers on each, made by the code that serves, and where it comes from."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from mlops.registry.artifact import ArtifactError, artifact_digest
from services.inference.model_store import Named, UnusableArtifactError, VersionId
from services.inference.predictors.models.served import ServedModel
from services.inference.replay.report import Origin, SideNote
from services.inference.serving import ALIASES, CHAMPION, MODELS, Models, QuestionName, Serving, fit, serving_by
from services.inference.tables import RuleTables
from services.inference.wiring import load_model

RULES: Final = "rules"
_FOLDER: Final = "folder"
_LISTED: Final = "`python -m mlops.registry show` lists versions"


class SideError(Exception):
    """A side cannot be made; the message says what to do."""


class Versions(Protocol):
    """Where registered versions are; NeighbourUnavailableError where it does not answer."""

    def aliased(self, names: Mapping[QuestionName, str]) -> Named:
        """Which versions the aliases stand for now."""
        ...

    def fetch(self, version: VersionId, folder: Path) -> None:
        """Write a version's artifact into an empty folder; UnusableArtifactError."""
        ...


class Side(NamedTuple):
    """One side: what answers every question, and what is told of it."""

    serving: Serving
    note: SideNote


class Sides:
    """Makes sides of one question's versions, with the champions of all the other questions beside them."""

    def __init__(self, question: QuestionName, versions: Versions | None) -> None:
        self._question = question
        self._versions = versions
        self._named: Named = versions.aliased({each: each for each in MODELS}) if versions else {}
        self._beside = {
            other: self._fetched(version)
            for (other, alias), version in self._named.items()
            if alias == CHAMPION and other != question
        }

    def side(self, spec: str, tables: RuleTables) -> Side:
        """A number or alias of the registry, a folder with an artifact, or `rules`. SideError."""
        own = self._own(spec)
        models = {**self._beside, **({} if own is None else {self._question: own})}
        served: Models = {(question, CHAMPION): model for question, (model, _) in models.items()}
        label = f"{self._question} rules" if own is None else f"{self._question} {own[1].version}"
        origins = tuple(origin for _, origin in models.values())
        return Side(serving_by(tables)(served), SideNote(label, tables.version, origins))

    def _own(self, spec: str) -> tuple[ServedModel, Origin] | None:
        if spec == RULES:
            return None
        if self._question not in MODELS:
            raise SideError(f"no model answers {self._question} in this version: compare `rules` with `rules`")
        if not spec.isdigit() and (folder := Path(spec)).is_dir():
            version = VersionId(self._question, folder.name, _FOLDER)
            return self._loaded(version, folder, registered=False)
        return self._fetched(self._registered(spec))

    def _registered(self, spec: str) -> VersionId:
        if self._versions is None:
            raise SideError(
                f"{spec!r} is no folder, and there is no registry: set TIDEGATE_MLFLOW_URL "
                "(`set -a; . .tidegate/stack.env; set +a`), or name an artifact's folder, or `rules`"
            )
        for alias in ALIASES:
            if spec == alias:
                if (version := self._named.get((self._question, alias))) is None:
                    raise SideError(f"{self._question} has no {alias}; {_LISTED}")
                return version
        if not spec.isdigit():
            raise SideError(f"{spec!r} is no number, alias or folder, and not `{RULES}`; {_LISTED}")
        return VersionId(self._question, spec, "")

    def _fetched(self, version: VersionId) -> tuple[ServedModel, Origin]:
        assert self._versions is not None  # noqa: S101 - only what it named comes here
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            try:
                self._versions.fetch(version, folder)
            except UnusableArtifactError as error:
                raise SideError(f"{version.name} version {version.version}: {error}; {_LISTED}") from error
            return self._loaded(version, folder, registered=True)

    def _loaded(self, version: VersionId, folder: Path, *, registered: bool) -> tuple[ServedModel, Origin]:
        question = _question(version.name)
        try:
            model = fit(question, load_model(folder, version, CHAMPION))
            told: Mapping[str, Any] = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
            digest = artifact_digest(folder)
        except (ArtifactError, ValueError, OSError) as error:
            raise SideError(f"{version.name} version {version.version} cannot answer: {error}") from error
        data = told.get("data", {})
        return model, Origin(
            question,
            version.version,
            registered,
            digest,
            str(told.get("code_version", "unknown")),
            str(data.get("fingerprint", "unknown")),
        )


def _question(name: str) -> QuestionName:
    return next(question for question in MODELS if question == name)
