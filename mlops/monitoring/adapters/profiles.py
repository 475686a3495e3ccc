"""Profiles of versions from the registry of models, each asked for once."""

import tempfile
from pathlib import Path

from mlops.registry.ports import UnknownVersionError
from mlops.registry.profile import Profile
from mlops.registry.store import Registry


class Profiles:
    """A ProfileOf. RegistryError where the registry does not answer."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, str], Profile | None] = {}

    def __call__(self, model: str, version: str) -> Profile | None:
        """None where the training of the version kept none, or the version is gone."""
        if (model, version) not in self._known:
            self._known[model, version] = self._asked(model, version)
        return self._known[model, version]

    def _asked(self, model: str, version: str) -> Profile | None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                return self._registry.profile(self._registry.version(model, version), Path(folder))
            except UnknownVersionError:
                return None
