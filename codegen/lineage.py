"""Which models of the dbt project read a column, and what lies downstream of them, from dbt's own manifest."""

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from codegen.image import run, tool

_DERIVED: Final = ("model", "exposure")
_QUIET: Final = {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


@dataclass(frozen=True, slots=True)
class Node:
    """A model or an exposure of the project."""

    name: str
    kind: str
    schema: str
    sql: str
    parents: tuple[str, ...]

    @property
    def told(self) -> str:
        """As people name it: gold.fct_payments."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Lineage:
    """The project's models and exposures, by their unique ids."""

    def __init__(self, manifest: Mapping[str, Any], masked_keys: Mapping[str, str]) -> None:
        found = [*manifest["nodes"].values(), *manifest["exposures"].values()]
        self.nodes = {
            node["unique_id"]: Node(
                node.get("label") or node["name"],
                node["resource_type"],
                node.get("schema", "") if node["resource_type"] == "model" else "",
                node.get("raw_code", ""),
                tuple(node["depends_on"]["nodes"]),
            )
            for node in found
            if node["resource_type"] in _DERIVED
        }
        self._masked = masked_keys

    def sources_readers(self, table: str) -> Sequence[str]:
        """Models that select a bronze table as a whole: what its contract lists, they have."""
        return [
            name
            for name, node in self.nodes.items()
            if any(parent.endswith(f".bronze.{table}") for parent in node.parents)
        ]

    def touched(self, table: str, column: str, *, read_by_name: bool) -> Sequence[Node]:
        """Models and exposures that a change of a bronze column touches, in the order of their names.

        Models of the table take its columns as the contract lists them. Further down a model is touched where its SQL
        names the column, by its masked name where it has one; and what is downstream of one that does. With
        `read_by_name` off, nothing names the column yet, and only the table's own models are told.
        """
        first = self.sources_readers(table)
        reached = set(first)
        if read_by_name:
            names = re.compile(rf"\b({column}|{self._masked.get(column, column)})\b")
            readers = [name for name in self._downstream(first) if names.search(self.nodes[name].sql)]
            reached |= {*readers, *self._downstream(readers)}
        return sorted((self.nodes[name] for name in reached), key=lambda node: (node.kind != "model", node.told))

    def _downstream(self, ids: Iterable[str]) -> set[str]:
        reached: set[str] = set()
        open_ = set(ids)
        while open_:
            open_ = {
                name for name, node in self.nodes.items() if name not in reached and open_.intersection(node.parents)
            }
            reached |= open_
        return reached


def lineage(project: Path) -> Lineage:
    """Parse a dbt project, without a database; GenerationError with dbt's words where it does not parse."""
    with tempfile.TemporaryDirectory() as target:
        os.environ.update(_QUIET)
        run(
            tool("dbt"), "--quiet", "parse", "--no-partial-parse", "--project-dir", str(project),
            "--profiles-dir", str(project), "--target-path", target, "--log-path", target,
        )  # fmt: skip
        manifest = json.loads((Path(target) / "manifest.json").read_text(encoding="utf-8"))
    settings = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))
    return Lineage(manifest, settings["vars"]["masked_keys"])
