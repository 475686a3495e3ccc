"""Rows as files."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mlops.features.catalog import CUSTOMER_STATS, VIEW_OF, VIEWS
from mlops.features.history import FeatureRow, feature_rows
from mlops.features.parquet import events_file, moments_file, write
from tests.unit.mlops.features.histories import history

ROWS = list(feature_rows(history(seed=4), {}))


def test_every_row_is_in_its_views_file_as_it_was_made(tmp_path: Path) -> None:
    counts = write(ROWS, tmp_path)
    assert sum(counts.values()) == len(ROWS)
    for view in VIEWS:
        mine = [row for row in ROWS if VIEW_OF[row.entity] is view]
        read = pq.read_table(events_file(view, tmp_path)).to_pylist()
        assert [(each["event_id"], each[view.join_key]) for each in read] == [(row.event_id, row.key) for row in mine]
        for each, row in zip(read, mine, strict=True):
            assert {name: each[name] for name in row.values} == row.values
            assert each["event_timestamp"].timestamp() * 1e6 == pytest.approx(row.event_us, abs=1)


def test_of_one_moment_the_last_row_is_kept_for_joins(tmp_path: Path) -> None:
    write(ROWS, tmp_path)
    for view in VIEWS:
        last = {(row.key, row.event_us): row.event_id for row in ROWS if VIEW_OF[row.entity] is view}
        read = pq.read_table(moments_file(view, tmp_path)).to_pylist()
        assert len(read) == len(last)
        assert {each["event_id"] for each in read} == set(last.values())


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    write(ROWS[:30], tmp_path)
    before = events_file(CUSTOMER_STATS, tmp_path).read_bytes()

    def broken() -> Iterator[FeatureRow]:
        yield from ROWS
        raise RuntimeError("the source is gone")

    with pytest.raises(RuntimeError, match="the source is gone"):
        write(broken(), tmp_path)
    assert events_file(CUSTOMER_STATS, tmp_path).read_bytes() == before
