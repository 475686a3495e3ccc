"""Who may ask Trino what: dashboards read gold and marts; what is personal, and the salt that hides it, stays out."""

import httpx
import pytest
from trino.exceptions import TrinoUserError

from stack.engines.trino import DASHBOARDS_USER
from tests.lake import Lake

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def tables(lake: Lake) -> Lake:
    """Where dbt keeps the salt, a mart, and a view of gold over silver as dbt makes them."""
    for schema in ("bronze", "silver", "gold", "marts"):
        lake.query(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    lake.query("CREATE TABLE bronze.masking_salt AS SELECT 'pepper' AS salt")
    lake.query("CREATE TABLE silver.decisions AS SELECT 'a1b2' AS customer_key")
    lake.query("CREATE VIEW gold.fct_decisions SECURITY DEFINER AS SELECT customer_key FROM silver.decisions")
    lake.query("CREATE TABLE marts.payment_performance AS SELECT 3 AS payments")
    return lake


def refused(lake: Lake, statement: str, user: str = DASHBOARDS_USER) -> bool:
    with pytest.raises(TrinoUserError) as error:
        lake.query(statement, user)
    return error.value.error_name == "PERMISSION_DENIED"


def test_dashboards_read_marts_and_gold_a_view_over_silver_too(tables: Lake) -> None:
    assert tables.query("SELECT payments FROM marts.payment_performance", DASHBOARDS_USER) == [[3]]
    assert tables.query("SELECT customer_key FROM gold.fct_decisions", DASHBOARDS_USER) == [["a1b2"]]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT salt FROM bronze.masking_salt",
        'SELECT upper_bounds FROM bronze."masking_salt$files"',
        "SHOW STATS FOR bronze.masking_salt",
        "SELECT * FROM TABLE(lake.system.table_changes('bronze', 'masking_salt', 1, 2))",
        "SELECT customer_key FROM silver.decisions",
        "SHOW TABLES FROM bronze",
        "SHOW CREATE VIEW gold.fct_decisions",
        "SELECT query FROM system.runtime.queries",
        "CREATE VIEW marts.mine AS SELECT 1 AS one",
        "INSERT INTO marts.payment_performance VALUES (4)",
        "DELETE FROM marts.payment_performance",
        "DROP TABLE marts.payment_performance",
        "ALTER TABLE bronze.masking_salt EXECUTE optimize",
        "SET SESSION AUTHORIZATION tidegate",
        "SET SESSION lake.parquet_writer_block_size = '16MB'",
    ],
)
def test_dashboards_get_at_nothing_else(tables: Lake, statement: str) -> None:
    assert refused(tables, statement)


def test_dashboards_are_told_of_no_column_that_they_may_not_read(tables: Lake) -> None:
    listed = "SELECT DISTINCT table_schema FROM information_schema.columns"
    told = {schema for (schema,) in tables.query(listed, DASHBOARDS_USER)}
    assert told - {"information_schema"} == {"gold", "marts"}


def test_nobody_sees_what_others_ask(tables: Lake) -> None:
    tables.query("SELECT 'asked by the pipeline' AS remark")
    url = tables.environment()["TIDEGATE_TRINO_URL"]
    seen = {
        user: httpx.get(f"{url}/v1/query", headers={"X-Trino-User": user}, trust_env=False).raise_for_status().text
        for user in ("tidegate", DASHBOARDS_USER, "anyone")
    }
    assert ["asked by the pipeline" in text for text in seen.values()] == [True, False, False]


def test_who_is_not_known_may_ask_nothing(tables: Lake) -> None:
    assert refused(tables, "SELECT 1", "anyone")
    assert refused(tables, "SELECT payments FROM marts.payment_performance", "anyone")
