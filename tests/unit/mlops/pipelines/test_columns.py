"""Columns of bronze follow the contract; tables evolve and never narrow."""

import pyarrow as pa
import pytest
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.table import Table
from pyiceberg.types import DoubleType, IntegerType, LongType

from mlops.pipelines.lib.columns import (
    TEXTS,
    TIMESTAMP,
    Column,
    StoredColumn,
    UnknownTypeError,
    contract_columns,
    table_columns,
    topic_columns,
)
from mlops.pipelines.lib.schema import SchemaConflictError
from mlops.pipelines.lib.sources import PREDICTION_CONTRACT, SOURCES
from mlops.pipelines.lib.tables import commit, open_table, stage_rows


def named(columns: object) -> dict[str, Column]:
    assert isinstance(columns, list)
    return {column.name: column for column in columns}


def test_a_field_is_a_column_of_its_type_and_of_its_sensitivity() -> None:
    columns = named(contract_columns(SOURCES["payment_events"].contract))
    kinds = {name: columns[name].type for name in ("amount_cents", "provider", "livemode", "metadata", "processed_at")}
    assert kinds == {
        "amount_cents": pa.int64(), "provider": pa.string(), "livemode": pa.bool_(), "metadata": pa.string(),
        "processed_at": TIMESTAMP,
    }  # fmt: skip
    personal = {name for name, column in columns.items() if column.personal}
    assert personal == {"customer_id", "card_last_four", "failure_message", "metadata", "card_fingerprint"}


def test_a_message_that_holds_a_personal_field_is_personal() -> None:
    columns = named(topic_columns(PREDICTION_CONTRACT))
    assert columns["entities"].personal
    assert not columns["features"].personal


def test_a_table_has_the_contracts_fields_and_its_own_columns_but_not_what_ingest_reads_by() -> None:
    stored = [
        StoredColumn("event_id", "text", "The event decided on."),
        StoredColumn("rule_ids", "text[]", "Rules."),
        StoredColumn("degraded_steps", "text[]"),
        StoredColumn("decision", "jsonb", "PERSONAL (customer_id). All of it."),
        StoredColumn("stored_xid", "xid8"),
    ]
    columns = named(table_columns(SOURCES["decisions"].contract, stored))
    assert columns["event_id"].doc == "The event decided on."
    assert (columns["rule_ids"].type, columns["degraded_steps"].type) == (TEXTS, TEXTS)
    assert columns["decision"].personal
    assert {"stored_xid", "fraud", "rule_hits"}.isdisjoint(columns)
    assert {"amount_cents", "ingested_at"} <= set(columns)


def test_a_type_that_bronze_does_not_know_is_told() -> None:
    with pytest.raises(UnknownTypeError, match="money in PostgreSQL"):
        table_columns(SOURCES["decisions"].contract, [StoredColumn("event_id", "text"), StoredColumn("fee", "money")])


@pytest.fixture
def catalog(tmp_path: object) -> InMemoryCatalog:
    return InMemoryCatalog("test", warehouse=f"file://{tmp_path}")


def put(catalog: InMemoryCatalog, columns: list[Column], rows: pa.Table) -> Table:
    table = open_table(catalog, "bronze.trial", columns)
    return commit(table, lambda transaction: stage_rows(transaction, columns, rows, {"at": "1"}), lambda _: True)


def test_a_table_gets_new_columns_keeps_old_ones_and_widens(catalog: InMemoryCatalog) -> None:
    put(catalog, [Column("a", pa.int32()), Column("gone", pa.float32())], pa.table({"a": pa.array([1], pa.int32())}))
    wider = [Column("a", pa.int64(), "Now long."), Column("gone", pa.float64()), Column("b", TEXTS)]
    table = put(catalog, wider, pa.table({"a": [1 << 40], "b": pa.array([["x"]], TEXTS)}))
    fields = {field.name: field.field_type for field in table.schema().fields}
    assert (fields["a"], fields["gone"]) == (LongType(), DoubleType())
    assert sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["a"]) == [
        {"a": 1, "gone": None, "b": None},
        {"a": 1 << 40, "gone": None, "b": ["x"]},
    ]


def test_a_table_never_narrows_or_drops(catalog: InMemoryCatalog) -> None:
    put(catalog, [Column("a", pa.int64()), Column("b", pa.string())], pa.table({"a": [1], "b": ["x"]}))
    table = put(catalog, [Column("a", pa.int32())], pa.table({"a": pa.array([2], pa.int32())}))
    assert {field.name for field in table.schema().fields} == {"a", "b"}
    assert table.schema().find_field("a").field_type != IntegerType()
    assert sorted(table.scan().to_arrow()["a"].to_pylist()) == [1, 2]


def test_a_column_that_became_something_else_is_refused_and_nothing_is_written(catalog: InMemoryCatalog) -> None:
    table = put(catalog, [Column("a", pa.string())], pa.table({"a": ["1"]}))
    with pytest.raises(SchemaConflictError, match="new name and number"):
        put(catalog, [Column("a", pa.int64())], pa.table({"a": [1]}))
    assert len(table.refresh().snapshots()) == 1
