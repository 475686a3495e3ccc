"""Reads and writes `maven.lock`: every Maven artifact the engines need, with its size and SHA-256."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

LOCK_FILE = Path(__file__).with_name("maven.lock")
REGENERATE = "Run `python -m stack lock` to regenerate it, and review the difference."

_COORDINATE = re.compile(r"\w[\w.-]*(:\w[\w.-]*){2,4}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEADER = (
    "# Maven artifacts of the embedded engines: coordinate, SHA-256, size in bytes.\n"
    "# Written by `python -m stack lock`; the roots are the table in stack/locking.py.\n"
)


@dataclass(frozen=True, slots=True, order=True)
class Coordinate:
    """One file of a Maven repository, written `group:artifact:version[:packaging[:classifier]]`."""

    group: str
    artifact: str
    version: str
    packaging: str = "jar"
    classifier: str = ""

    @classmethod
    def parse(cls, text: str) -> Coordinate:
        """Parse the written form; raises `StackError` when a part is missing or empty."""
        if not _COORDINATE.fullmatch(text):
            raise StackError(
                f"{text!r} is not a Maven coordinate",
                "Expected group:artifact:version[:packaging[:classifier]].",
            )
        return cls(*text.split(":"))

    def __str__(self) -> str:
        parts = [self.group, self.artifact, self.version]
        if self.classifier:
            parts += [self.packaging, self.classifier]
        elif self.packaging != "jar":
            parts.append(self.packaging)
        return ":".join(parts)

    @property
    def file_name(self) -> str:
        """The file's name in a repository, e.g. `kafka_2.13-4.2.0.jar`."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.packaging}"

    @property
    def path(self) -> str:
        """The file's path below the root of any Maven repository, with forward slashes."""
        group = self.group.replace(".", "/")
        return f"{group}/{self.artifact}/{self.version}/{self.file_name}"


@dataclass(frozen=True, slots=True, order=True)
class LockedArtifact:
    """A coordinate and the only bytes that may stand for it."""

    coordinate: Coordinate
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MavenLock:
    """The lock's sections: a name (an engine or a tool) and its artifacts."""

    sections: Mapping[str, Sequence[LockedArtifact]]

    def section(self, name: str) -> Sequence[LockedArtifact]:
        """All artifacts of one engine or tool; raises `StackError` for an unknown name."""
        if name not in self.sections:
            raise StackError(f"{LOCK_FILE.name} has no section [{name}]", REGENERATE)
        return self.sections[name]

    def find(self, coordinate: Coordinate) -> LockedArtifact:
        """The locked bytes of one coordinate; raises `StackError` when it is not locked."""
        for artifacts in self.sections.values():
            for artifact in artifacts:
                if artifact.coordinate == coordinate:
                    return artifact
        raise StackError(f"{coordinate} is not in {LOCK_FILE.name}", REGENERATE)

    def render(self) -> str:
        """The lock file's text; `parse_lock` of it gives an equal lock."""
        blocks = [_HEADER]
        for name, artifacts in sorted(self.sections.items()):
            lines = [f"{a.coordinate} {a.sha256} {a.size_bytes}" for a in sorted(artifacts)]
            blocks.append("\n".join([f"[{name}]", *lines]) + "\n")
        return "\n".join(blocks)


def parse_lock(text: str) -> MavenLock:
    """Parse a lock file; raises `StackError` that names the first line it cannot read."""
    sections: dict[str, list[LockedArtifact]] = {}
    current: list[LockedArtifact] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
        elif current is None:
            raise _unreadable(number, "an artifact stands before the first [section]")
        else:
            current.append(_parse_artifact(line, number))
    return MavenLock(sections)


def read_lock(path: Path = LOCK_FILE) -> MavenLock:
    """Read the repository's lock file."""
    return parse_lock(path.read_text(encoding="utf-8"))


def _parse_artifact(line: str, number: int) -> LockedArtifact:
    try:
        coordinate, sha256, size = line.split()
    except ValueError as error:
        raise _unreadable(number, "expected: coordinate, SHA-256, size") from error
    if not _SHA256.fullmatch(sha256):
        raise _unreadable(number, "the SHA-256 is not 64 lower-case hexadecimal digits")
    if not size.isdecimal():
        raise _unreadable(number, "the size is not a number of bytes")
    return LockedArtifact(Coordinate.parse(coordinate), sha256, int(size))


def _unreadable(number: int, reason: str) -> StackError:
    return StackError(f"{LOCK_FILE.name}:{number}: {reason}", REGENERATE)
