"""Keeps fetched models in a folder of this machine, and which versions were named last."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.inference.model_store import Named, VersionId
from services.inference.serving import ALIASES, MODELS
from services.runtime.telemetry import logger

_NAMED: Final = "named.json"
_KEPT_VERSIONS: Final = 4

_log = logger(__name__)


class ModelShelf:
    """A Shelf. A folder is complete or not there: it is filled under another name and then renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder_of(self, version: VersionId, fetch: Callable[[VersionId, Path], None]) -> Path:
        """The folder of a version."""
        folder = self._folder(version)
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            filling = Path(tempfile.mkdtemp(prefix=".filling-", dir=folder.parent))
            try:
                fetch(version, filling)
                filling.replace(folder)
            finally:
                shutil.rmtree(filling, ignore_errors=True)
            self._tidy(folder)
        return folder

    def discard(self, version: VersionId) -> None:
        """Forget a version's folder."""
        shutil.rmtree(self._folder(version), ignore_errors=True)

    def named(self) -> tuple[Named, float]:
        """What was named last; nothing where the file cannot be read."""
        try:
            told = json.loads((self._root / _NAMED).read_text(encoding="utf-8"))
            named: Named = {
                (question, alias): VersionId(*told["versions"][f"{question}/{alias}"])
                for question in MODELS
                for alias in ALIASES
                if f"{question}/{alias}" in told["versions"]
            }
            return named, float(told["at"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}, 0.0

    def remember(self, named: Named, at: float) -> None:
        """Keep which versions the registry named. A disk that is full keeps no promotion back."""
        versions = {
            f"{question}/{alias}": [version.name, version.version, version.fingerprint]
            for (question, alias), version in named.items()
        }
        partial = self._root / f"{_NAMED}.partial"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({"versions": versions, "at": at}), encoding="utf-8")
            partial.replace(self._root / _NAMED)
        except OSError as error:
            _log.warning("models.unavailable", error=f"cannot write below {self._root}: {error.strerror}")

    def _folder(self, version: VersionId) -> Path:
        return self._root / version.name / f"{version.version}-{version.fingerprint}"

    @staticmethod
    def _tidy(newest: Path) -> None:
        """Keep the newest few of a model: a rollback then needs no download."""
        kept = sorted(
            (folder for folder in newest.parent.iterdir() if folder != newest),
            key=lambda folder: folder.stat().st_mtime,
        )
        for folder in kept[: -(_KEPT_VERSIONS - 1)]:
            shutil.rmtree(folder, ignore_errors=True)
