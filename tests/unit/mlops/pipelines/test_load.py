"""Broken rows of a history lack one thing each that the lake requires, and have ids of their own."""

from pathlib import Path

import pyarrow.parquet as pq

from mlops.features.event_rows import HISTORY_FILE
from mlops.pipelines.lib.load import BREAKABLE, broken_rows


def test_each_broken_row_lacks_one_thing_and_has_an_id_of_its_own(history: Path) -> None:
    rows = broken_rows(history, 24).to_pylist()
    known = set(pq.read_table(history / HISTORY_FILE, columns=["event_id"]).column(0).to_pylist())
    assert len({row["event_id"] for row in rows} - known) == 24
    lacking = [[name for name in BREAKABLE if row[name] == ""] for row in rows]
    assert lacking == [[BREAKABLE[number % 3]] for number in range(24)]


def test_broken_rows_are_of_the_end_of_the_history(history: Path) -> None:
    arrivals = pq.read_table(history / HISTORY_FILE, columns=["processed_at"]).column(0).to_pylist()
    assert min(row["processed_at"] for row in broken_rows(history, 24).to_pylist()) >= arrivals[-len(arrivals) // 10]
