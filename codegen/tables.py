"""Reads which tables and columns PostgreSQL has, with their comments, from the migrations' SQL."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from codegen.image import ROOT

MIGRATIONS = ROOT / "services" / "orchestrator" / "migrations" / "versions"

_TABLE = re.compile(r"CREATE TABLE tidegate\.(\w+) \(\n(.*?)\n\)[^;]*;", re.DOTALL)
_COLUMN = re.compile(r"^ {4}([a-z]\w*)\s+((?:double precision|[a-z]+)(?:\[\])?)(.*?),?$", re.MULTILINE)
_ADDED = re.compile(
    r"ALTER TABLE tidegate\.(\w+) ADD COLUMN (?:IF NOT EXISTS )?(\w+) ((?:double precision|\w+)(?:\[\])?)"
)
_COMMENT = re.compile(r"COMMENT ON (TABLE|COLUMN) tidegate\.([\w.]+) IS\s+'((?:[^']|'')*)';")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as PostgreSQL has it."""

    name: str
    kind: str
    comment: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its columns, in their order."""

    name: str
    comment: str
    columns: tuple[Column, ...]


def tables(folder: Path = MIGRATIONS) -> Mapping[str, Table]:
    """Every table that the migrations have made, by name; of two comments the later one holds."""
    scripts = [file.read_text(encoding="utf-8") for file in _scripts(folder)]
    comments = {name: text.replace("''", "'") for script in scripts for _, name, text in _COMMENT.findall(script)}
    columns = _columns(scripts)
    return {
        table: Table(
            table,
            comments.get(table, ""),
            tuple(Column(name, kind, comments.get(f"{table}.{name}", "")) for name, kind in of_table),
        )
        for table, of_table in columns.items()
    }


def _scripts(folder: Path) -> Iterable[Path]:
    return sorted(file for file in folder.glob("v*.sql") if not file.name.endswith(".down.sql"))


def _columns(scripts: Iterable[str]) -> Mapping[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for script in scripts:
        for table, body in _TABLE.findall(script):
            found[table] = [(name, kind) for name, kind, _ in _COLUMN.findall(body)]
        for table, name, kind in _ADDED.findall(script):
            found[table].append((name, kind))
    return found
