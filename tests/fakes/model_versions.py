"""A model registry in memory, as inference sees one: aliases that a test moves, versions that are folders."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from services.inference.model_store import Named, UnusableArtifactError, VersionId
from services.inference.serving import Alias, QuestionName
from services.runtime.errors import NeighbourUnavailableError


class FakeModelVersions:
    """A Registry of one model. `trouble` is raised by the next questions, until it is taken back."""

    def __init__(self, name: str = "fraud") -> None:
        self._name = name
        self.trouble: Exception | None = None
        self.fetched: list[str] = []
        self._folders: dict[str, Path | None] = {}
        self._aliases: dict[Alias, str] = {}

    def add(self, number: str, folder: Path | None) -> None:
        """Register a version; without a folder its artifact is gone."""
        self._folders[number] = folder

    def point(self, alias: Alias, number: str) -> None:
        """Promote."""
        self._aliases[alias] = number

    def unpoint(self, alias: Alias) -> None:
        """Take an alias away."""
        del self._aliases[alias]

    def aliased(self, names: Mapping[QuestionName, str]) -> Named:
        """Which versions the aliases stand for now."""
        if self.trouble is not None:
            raise self.trouble
        return {
            (question, alias): VersionId(name, number, "print")
            for question, name in names.items()
            if name == self._name
            for alias, number in self._aliases.items()
        }

    def fetch(self, version: VersionId, folder: Path) -> None:
        """Copy a version's folder."""
        if isinstance(self.trouble, NeighbourUnavailableError):
            raise self.trouble
        self.fetched.append(version.version)
        source = self._folders[version.version]
        if source is None:
            raise UnusableArtifactError("its artifact is gone; log the model again")
        shutil.copytree(source, folder, dirs_exist_ok=True)
