"""Writes a played world to a folder: the history, the labels in a folder of their own, and what both came from."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from services.simulator.behaviour.assumptions import FILE
from services.simulator.behaviour.history import COLUMNS, history
from services.simulator.behaviour.labels import label_rows
from services.simulator.behaviour.year import Year

# Writes rows of named columns, with their kinds, to a file; returns how many.
Writer = Callable[[Path, Mapping[str, str], Iterable[dict[str, Any]]], int]

HISTORY_FILE = "history.parquet"
LABELS_FOLDER = "labels"


def write_history(year: Year, folder: Path, write: Writer) -> Mapping[str, int]:
    """Everything: `history.parquet`, the labels beside it, and `world.json`. Returns the rows of each file."""
    rows = {HISTORY_FILE: write(folder / HISTORY_FILE, COLUMNS, history(year.told))}
    rows |= write_labels(year, folder / LABELS_FOLDER, write)
    (folder / "world.json").write_bytes(orjson.dumps(_origin(year, rows), option=orjson.OPT_INDENT_2) + b"\n")
    return rows


def write_labels(year: Year, folder: Path, write: Writer) -> Mapping[str, int]:
    """The truth alone, for events that are posted. Returns the rows of each file."""
    return {
        f"{LABELS_FOLDER}/{table.name}.parquet": write(folder / f"{table.name}.parquet", table.columns, rows)
        for table, rows in label_rows(year)
    }


def _origin(year: Year, rows: Mapping[str, int]) -> Mapping[str, object]:
    plan = year.plan
    return {
        "seed": plan.seed,
        "customers": plan.customers,
        "first_day": plan.first_day.isoformat(),
        "days": plan.days,
        "assumptions_sha256": hashlib.sha256(FILE.read_bytes()).hexdigest(),
        "rows": rows,
    }
