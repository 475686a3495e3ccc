"""A registry of models in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlops.registry.audit import AuditRecord
from mlops.registry.evidence import Evidence
from mlops.registry.ports import CHAMPION, UnknownVersionError, Version


@dataclass
class FakeModelRegistry:
    """ChampionRegistry; `add` is what a training does."""

    numbers: dict[str, dict[str, Evidence]] = field(default_factory=dict)
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)
    records: list[AuditRecord] = field(default_factory=list)
    tags: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    def add(self, model: str, evidence: Evidence) -> Version:
        """Register the next version."""
        known = self.numbers.setdefault(model, {})
        number = str(len(known) + 1)
        known[number] = evidence
        return self.version(model, number)

    def version(self, model: str, number: str) -> Version:
        if number not in self.numbers.get(model, {}):
            raise UnknownVersionError(f"cannot find {model} version {number}")
        pointing = (alias for (of, alias), to in self.aliases.items() if of == model and to == number)
        tags = self.tags.get((model, number), {})
        return Version(model, number, f"run-{number}", "", 0, tuple(sorted(pointing)), tags)

    def by_alias(self, model: str, alias: str) -> Version | None:
        number = self.aliases.get((model, alias))
        return None if number is None else self.version(model, number)

    def evidence(self, version: Version, folder: Path) -> Evidence:
        return replace(self.numbers[version.model][version.number])

    def point(self, model: str, alias: str, number: str) -> None:
        self.version(model, number)
        self.aliases[model, alias] = number

    def unpoint(self, model: str, alias: str) -> None:
        self.aliases.pop((model, alias), None)

    def change_champion(self, record: AuditRecord, folder: Path) -> None:
        self.version(record.model, record.to_version)
        self.records.append(record)
        self.aliases[record.model, CHAMPION] = record.to_version

    def audit(self, model: str) -> list[AuditRecord]:
        return [record for record in self.records if record.model == model]
