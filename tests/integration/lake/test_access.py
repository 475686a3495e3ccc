"""Who may ask Trino what: dashboards read gold and marts; what is personal, and the salt that hides it, stays out."""

import httpx
import pytest
from trino.exceptions import TrinoUserError

from stack.engines.trino import DASHBOARDS_USER
from tests.lake import Lake

pytestmark = pytest.mark.timeout(300)

TABLES = ("marts.payment_performance", "lake.marts.payment_performance", "gold.dim_date")
MANY = "UNNEST(sequence(1, 10000))"
LONG = f"SELECT count(*) FROM {MANY} AS a (n), {MANY} AS b (n), {MANY} AS c (n)"  # noqa: S608 - ours
PROCEDURES = (
    *("optimize", "optimize_manifests", "drop_extended_stats"),
    *("expire_snapshots(retention_threshold => '7d')", "remove_orphan_files(retention_threshold => '7d')"),
)


@pytest.fixture(scope="module")
def tables(lake: Lake) -> Lake:
    """Where dbt keeps the salt, a mart, and a view of gold over silver as dbt makes them."""
    for schema in ("bronze", "silver", "gold", "marts"):
        lake.query(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    lake.query("CREATE TABLE bronze.masking_salt AS SELECT 'pepper' AS salt")
    lake.query("CREATE TABLE silver.decisions AS SELECT 'a1b2' AS customer_key")
    lake.query(
        "CREATE OR REPLACE VIEW gold.fct_decisions SECURITY DEFINER AS SELECT customer_key FROM silver.decisions"
    )
    lake.query("CREATE TABLE marts.payment_performance AS SELECT 3 AS payments")
    lake.query("CREATE TABLE gold.dim_date AS SELECT DATE '2026-01-01' AS day")
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
        # What is not gold or marts, by either catalog.
        "SELECT salt FROM bronze.masking_salt",
        "SELECT salt FROM lake.bronze.masking_salt",
        'SELECT upper_bounds FROM bronze."masking_salt$files"',
        "SHOW STATS FOR bronze.masking_salt",
        "SELECT * FROM TABLE(lake.system.table_changes('bronze', 'masking_salt', 1, 2))",
        "SELECT * FROM TABLE(system.table_changes('bronze', 'masking_salt', 1, 2))",
        "SELECT customer_key FROM silver.decisions",
        "SELECT payments FROM lake.marts.payment_performance",
        "SHOW TABLES FROM bronze",
        "SHOW SCHEMAS FROM lake",
        "SHOW CREATE VIEW gold.fct_decisions",
        "SHOW CREATE TABLE marts.payment_performance",
        # Changes, of what they may read too.
        *(f"ALTER TABLE {table} EXECUTE {procedure}" for table in TABLES for procedure in PROCEDURES),
        "ALTER TABLE bronze.masking_salt EXECUTE optimize",
        "ALTER TABLE marts.payment_performance SET PROPERTIES format_version = 2",
        "ALTER TABLE marts.payment_performance ADD COLUMN mine integer",
        "ANALYZE marts.payment_performance",
        "COMMENT ON TABLE marts.payment_performance IS 'mine'",
        "INSERT INTO marts.payment_performance VALUES (4)",
        "UPDATE marts.payment_performance SET payments = 4",
        "DELETE FROM marts.payment_performance",
        "TRUNCATE TABLE marts.payment_performance",
        "DROP TABLE marts.payment_performance",
        "DROP VIEW gold.fct_decisions",
        "CREATE VIEW marts.mine AS SELECT 1 AS one",
        "CREATE OR REPLACE VIEW gold.fct_decisions AS SELECT 1 AS one",
        "CREATE MATERIALIZED VIEW marts.mine AS SELECT 1 AS one",
        "CREATE TABLE marts.mine AS SELECT 1 AS one",
        "CREATE SCHEMA mine",
        "GRANT SELECT ON marts.payment_performance TO USER anyone",
        "CALL system.rollback_to_snapshot('marts', 'payment_performance', 1)",
        "CALL system.register_table('marts', 'mine', 's3://tidegate-lake/mine')",
        # The server, and who else asks it.
        "SELECT query FROM system.runtime.queries",
        "SELECT * FROM system.runtime.tasks",
        "SELECT * FROM system.metadata.table_properties",
        "CALL system.runtime.kill_query('20260101_000000_00000_aaaaa', 'mine')",
        "SET SESSION AUTHORIZATION tidegate",
        "SET SESSION query_max_run_time = '10h'",
        "SET SESSION lake_read_only.parquet_writer_block_size = '16MB'",
    ],
)
def test_dashboards_get_at_nothing_else(tables: Lake, statement: str) -> None:
    assert refused(tables, statement)


def test_dashboards_are_told_of_no_column_that_they_may_not_read(tables: Lake) -> None:
    listed = "SELECT DISTINCT table_schema FROM information_schema.columns"
    told = {schema for (schema,) in tables.query(listed, DASHBOARDS_USER)}
    assert told - {"information_schema"} == {"gold", "marts"}


def asked(lake: Lake, method: str, path: str, user: str, content: str | None = None) -> httpx.Response:
    """An answer of Trino's own pages to this user."""
    url, who = lake.environment()["TIDEGATE_TRINO_URL"], {"X-Trino-User": user, "Content-Type": "application/json"}
    return httpx.request(method, f"{url}{path}", headers=who, content=content, trust_env=False)


def test_nobody_sees_what_others_ask(tables: Lake) -> None:
    tables.query("SELECT 'asked by the pipeline' AS remark")
    users = ("tidegate", DASHBOARDS_USER, "anyone")
    seen = {user: asked(tables, "GET", "/v1/query", user).raise_for_status().text for user in users}
    assert ["asked by the pipeline" in text for text in seen.values()] == [True, False, False]


def test_nobody_looks_into_anothers_query_or_ends_it(tables: Lake) -> None:
    begun = asked(tables, "POST", "/v1/statement", "tidegate", LONG).raise_for_status().json()
    httpx.get(begun["nextUri"], trust_env=False).raise_for_status()  # until then it waits, and nobody finds it
    query = begun["id"]
    assert asked(tables, "GET", f"/v1/query/{query}", "tidegate").json()["state"] != "FAILED"
    for user in (DASHBOARDS_USER, "anyone"):
        tried = [("GET", ""), ("DELETE", ""), ("PUT", "/killed"), ("PUT", "/preempted")]
        told = [asked(tables, method, f"/v1/query/{query}{path}", user, '"mine"').status_code for method, path in tried]
        assert told == [httpx.codes.FORBIDDEN] * len(tried)
    assert asked(tables, "GET", f"/v1/query/{query}", "tidegate").json()["state"] != "FAILED"
    assert asked(tables, "DELETE", f"/v1/query/{query}", "tidegate").is_success
    assert asked(tables, "GET", f"/v1/query/{query}", "tidegate").json()["state"] == "FAILED"


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/thread"), ("GET", "/v1/node"), ("PUT", "/v1/info/state")])
def test_the_server_is_looked_into_and_stopped_by_no_dashboard(tables: Lake, method: str, path: str) -> None:
    assert asked(tables, method, path, DASHBOARDS_USER, '"ACTIVE"').status_code == httpx.codes.FORBIDDEN


def test_who_is_not_known_may_ask_nothing(tables: Lake) -> None:
    assert refused(tables, "SELECT 1", "anyone")
    assert refused(tables, "SELECT payments FROM marts.payment_performance", "anyone")
