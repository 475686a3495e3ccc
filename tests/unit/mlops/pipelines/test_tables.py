"""Commits to a real table of Iceberg, in memory's catalog: what a transaction knows of itself, and what that costs."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyiceberg.table
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.table import Transaction
from pyiceberg.table.metadata import TableMetadata

from mlops.pipelines.lib.columns import Column
from mlops.pipelines.lib.tables import commit, open_table, stage_rows

_ID = Column("event_id", pa.string())
_AMOUNT = Column("amount_cents", pa.int64())


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return InMemoryCatalog("test", warehouse=tmp_path.as_uri())


def test_a_commit_brings_new_columns_rows_and_properties_together(catalog: Catalog) -> None:
    table = open_table(catalog, "bronze.events", [_ID])
    asked: list[list[str]] = []

    def stage(transaction: Transaction) -> None:
        asked.append(transaction.table_metadata.schema().column_names)
        rows = pa.table({"event_id": ["stripe:evt_1"], "amount_cents": [4900]})
        stage_rows(transaction, [_ID, _AMOUNT], rows, {"mark": "1"})
        asked.append(transaction.table_metadata.schema().column_names)

    commit(table, stage, lambda properties: "mark" not in properties)
    assert asked == [["event_id"], ["event_id", "amount_cents"]]
    stored = catalog.load_table("bronze.events")
    assert stored.scan().to_arrow().to_pylist() == [{"event_id": "stripe:evt_1", "amount_cents": 4900}]
    assert stored.properties["mark"] == "1"
    assert len(stored.snapshots()) == 1


def test_a_commit_copies_what_it_knows_a_few_times_and_of_the_snapshots_only_the_one_it_follows(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = open_table(catalog, "bronze.events", [_ID])
    rows = pa.table({"event_id": ["stripe:evt_1"]})

    def write() -> None:
        commit(table, lambda transaction: stage_rows(transaction, [_ID], rows, {"mark": "1"}), lambda _: True)

    for _ in range(3):
        write()
    copied: list[int] = []
    make = pyiceberg.table.update_table_metadata  # type: ignore[attr-defined]  # what Transaction calls

    def counted(base: TableMetadata, *arguments: Any) -> Any:
        copied.append(len(base.snapshots))
        return make(base, *arguments)

    monkeypatch.setattr(pyiceberg.table, "update_table_metadata", counted)
    write()
    assert 0 < len(copied) <= 3
    assert set(copied) == {1}
    assert len(table.snapshots()) == len(catalog.load_table("bronze.events").snapshots()) == 4
