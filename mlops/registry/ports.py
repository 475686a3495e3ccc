"""What a promotion needs of a registry of models: versions, aliases, evidence, and a record of every change."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from mlops.registry.audit import AuditRecord
from mlops.registry.evidence import Evidence

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"


class RegistryError(Exception):
    """The registry cannot do it; the message says why and what to do."""


class UnknownVersionError(RegistryError):
    """There is no such model or version."""


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version of a model."""

    model: str
    number: str
    run_id: str
    source: str
    created_ms: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


class ChampionRegistry(Protocol):
    """Two who change one model at once are not kept apart: the later one wins, and both records stay."""

    def version(self, model: str, number: str) -> Version:
        """A version by its number; UnknownVersionError."""
        ...

    def by_alias(self, model: str, alias: str) -> Version | None:
        """The version that an alias points at; None where it points at none, or the model is not known."""
        ...

    def evidence(self, version: Version, folder: Path) -> Evidence:
        """What a version showed when it was judged; `folder` is for a download."""
        ...

    def point(self, model: str, alias: str, number: str) -> None:
        """Let an alias point at a version."""
        ...

    def unpoint(self, model: str, alias: str) -> None:
        """Take an alias away; nothing where there is none."""
        ...

    def change_champion(self, record: AuditRecord, folder: Path) -> None:
        """Write the record, then let the alias point at its `to_version`; `folder` is for an upload."""
        ...

    def audit(self, model: str) -> list[AuditRecord]:
        """Every change of the model's champion, oldest first."""
        ...
