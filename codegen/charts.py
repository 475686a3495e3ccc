"""Which tables of the lake each chart of the dashboards reads, from Superset's files."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from codegen.image import ROOT

DASHBOARDS = ROOT / "deploy" / "superset" / "dashboards"
_TABLE = re.compile(r"\b(?:silver|gold|marts)\.\w+")


def tables_of_charts(folder: Path = DASHBOARDS) -> Mapping[str, frozenset[str]]:
    """Tables, such as marts.decline_mix, by the chart's title."""
    read = {dataset["uuid"]: _tables(dataset) for dataset in _files(folder / "datasets")}
    return {chart["slice_name"]: read.get(chart["dataset_uuid"], frozenset()) for chart in _files(folder / "charts")}


def _tables(dataset: Mapping[str, Any]) -> frozenset[str]:
    if dataset.get("sql"):
        return frozenset(_TABLE.findall(str(dataset["sql"])))
    return frozenset({f"{dataset['schema']}.{dataset['table_name']}"})


def _files(folder: Path) -> list[dict[str, Any]]:
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("*.yaml"))]
