"""Maintenance of what dbt builds: nothing that was replaced or dropped stays in any file."""

import warnings
from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyiceberg.io.pyarrow import PyArrowFileIO

from mlops.pipelines.lib.maintenance import files_with_dropped_columns, maintain
from tests.lake import Lake

# Dagster, dbt and what they build on warn of each other's ways.
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]

NAME = "silver.events"


@pytest.fixture
def events(lake: Lake) -> None:
    """A table of silver with a month of one file and a month of two; its column `note` was dropped since."""
    lake.empty()
    lake.query("CREATE SCHEMA IF NOT EXISTS silver")
    lake.query(
        "CREATE TABLE silver.events (id varchar, note varchar, steps array(varchar), day date) "
        "WITH (partitioning = ARRAY['month(day)'])"
    )
    lake.query("INSERT INTO silver.events VALUES ('a', 'Ada', ARRAY['x'], DATE '2026-01-01'), "
               "('b', 'Bob', ARRAY['y'], DATE '2026-02-01')")  # fmt: skip
    lake.query("INSERT INTO silver.events VALUES ('c', 'Cyd', ARRAY['z'], DATE '2026-02-02')")
    lake.query("ALTER TABLE silver.events DROP COLUMN note")


def files_in_store(lake: Lake) -> list[str]:
    """Every Parquet file below the table, whoever owns it."""
    table = lake.catalog().load_table(NAME)
    place = table.location().removeprefix("s3://")
    filesystem: Any = PyArrowFileIO(table.io.properties).fs_by_scheme("s3", None)
    from pyarrow.fs import FileSelector

    found = filesystem.get_file_info(FileSelector(f"{place}/data", recursive=True))
    return [file.path for file in found if file.path.endswith(".parquet")]


def columns_in_store(lake: Lake) -> set[str]:
    table = lake.catalog().load_table(NAME)
    filesystem: Any = PyArrowFileIO(table.io.properties).fs_by_scheme("s3", None)
    return {name for file in files_in_store(lake) for name in pq.read_schema(file, filesystem=filesystem).names}


def test_a_column_that_was_dropped_is_in_no_file_after_maintenance(lake: Lake, events: None) -> None:
    assert "note" in columns_in_store(lake)
    assert len(files_with_dropped_columns(lake.catalog().load_table(NAME))) == 3
    (done,) = maintain(lake.settings(), [NAME], keep_hours=0, orphan_hours=0)
    assert done.rid == 3
    assert columns_in_store(lake) == {"id", "steps", "day"}
    assert files_with_dropped_columns(lake.catalog().load_table(NAME)) == []
    assert lake.query("SELECT id, steps[1] FROM silver.events ORDER BY 1") == [["a", "x"], ["b", "y"], ["c", "z"]]
    (again,) = maintain(lake.settings(), [NAME], keep_hours=0, orphan_hours=0)
    assert (again.rid, again.after.snapshots) == (0, 1)


def test_states_that_dbt_has_replaced_expire_with_their_files(lake: Lake) -> None:
    lake.empty()
    lake.query("CREATE SCHEMA IF NOT EXISTS silver")
    for column in ("secret", "id", "id"):
        lake.query(f"CREATE OR REPLACE TABLE silver.events AS SELECT 'Ada' AS {column}")
    (done,) = maintain(lake.settings(), [NAME], keep_hours=0, orphan_hours=0)
    assert (done.before.snapshots, done.after.snapshots, done.after.files) == (3, 1, 1)
    assert columns_in_store(lake) == {"id"}
    assert len(files_in_store(lake)) == 1


def test_all_that_ingest_does_not_write_is_maintained_in_dbts_turn(
    lake: Lake, events: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.query("CREATE SCHEMA IF NOT EXISTS bronze")
    lake.query("CREATE TABLE bronze.decisions AS SELECT 1 AS id")
    lake.query("CREATE SCHEMA IF NOT EXISTS marts")
    lake.query("CREATE TABLE marts.of_another_day AS SELECT 1 AS id")
    lake.query("CREATE VIEW marts.seen AS SELECT * FROM marts.of_another_day")
    for name, value in lake.environment().items():
        monkeypatch.setenv(name, value)
    try:
        told = materialised()
    finally:
        lake.query("DROP VIEW marts.seen")  # who lists the lake after this would stumble over it without its table
    assert told["tables"] == 2
    assert "marts.of_another_day" in told["each"]
    assert (told["files_before"], told["files_after"], told["files_rid_of_dropped_columns"]) == (4, 3, 3)


def materialised() -> Mapping[str, Any]:
    """Figures of the asset, imported here since the import alone warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dagster as dg

        from mlops.pipelines.defs.maintenance.assets import built_by_dbt
    done = dg.materialize([built_by_dbt])
    (event,) = done.get_asset_materialization_events()
    assert event.materialization is not None
    return {name: each.value for name, each in event.materialization.metadata.items()}
