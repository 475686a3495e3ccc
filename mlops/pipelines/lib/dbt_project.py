"""Keeps dbt's manifest in step with the project: parsed when a file of it has changed, else taken as it is."""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

_PARSE_SECONDS: Final = 180
_MADE: Final = frozenset({"target", "logs"})
_KINDS: Final = frozenset({".sql", ".yml", ".yaml", ".csv"})
_MOST_SAID: Final = 2_000
QUIET: Final[Mapping[str, str]] = {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


class DbtProjectError(Exception):
    """The project cannot be parsed; dbt's own words say why."""


def dbt_executable() -> str:
    """The dbt of this environment, wherever PATH leads."""
    return str(Path(sys.executable).with_name("dbt"))


def manifest_of(project: Path) -> Path:
    """The manifest of the project as it is now. Several processes may ask at once: one of them parses.

    Raises:
        DbtProjectError: it cannot be parsed.
    """
    target = project / "target"
    target.mkdir(exist_ok=True)
    manifest, stamp = target / "manifest.json", target / "manifest.digest"
    with _only_one(target / "manifest.lock"):
        digest = digest_of(project)
        if not manifest.is_file() or not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest:
            _parse(project)
            stamp.write_text(digest, encoding="utf-8")
    return manifest


def digest_of(project: Path) -> str:
    """SHA-256 over names and contents of everything that a manifest is made of."""
    digest = hashlib.sha256()
    for file in sorted(project.rglob("*")):
        relative = file.relative_to(project)
        if file.suffix in _KINDS and not _MADE.intersection(relative.parts):
            digest.update(f"{relative}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _parse(project: Path) -> None:
    command = [dbt_executable(), "--quiet", "parse", "--project-dir", str(project), "--profiles-dir", str(project)]
    environment = {**os.environ, **QUIET}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=_PARSE_SECONDS
    )
    if done.returncode:
        raise DbtProjectError(f"dbt parse: {(done.stdout + done.stderr)[-_MOST_SAID:]}")


@contextmanager
def _only_one(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Translator(DagsterDbtTranslator):
    """Assets by schema and name, groups by schema, tests of sources as checks of what is ingested."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The schema: bronze, silver, gold, marts."""
        schema: str | None = dbt_resource_props.get("config", {}).get("schema")
        return schema or super().get_group_name(dbt_resource_props)
