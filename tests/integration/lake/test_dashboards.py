"""Dashboards in a real Superset: every chart answers from Trino, and publishing twice is publishing once."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from deploy.superset.publish import FOLDER, Settings, ask_charts, export, publish, signed_in
from stack.engines import superset
from stack.home import Home
from stack.program import Context
from tests.engines import only_one, start_more
from tests.lake import Lake

# Superset's packages are installed by the first start: 53 s from a warm cache, minutes from the index.
pytestmark = pytest.mark.timeout(900)

MARTS = ("payment_performance", "decline_mix", "recovery_funnel", "model_performance", "model_drift", "data_quality")
_ONE_ROW = {"varchar": "'x'", "date": "date '2025-01-01'", "boolean": "true", "double": "1e0", "bigint": "bigint '2'"}


@pytest.fixture(scope="module")
def settings(lake: Lake) -> Settings:
    """Of a Superset that knows nothing yet of dashboards, or has what an earlier run published."""
    folder = lake.engines.home
    with only_one(folder.with_suffix(".lock")):
        start_more(folder, "postgresql", "trino", "superset")
    home = Home(folder)
    context = Context(home, home.read_state().ports, home.secrets(superset.ENGINE.secrets))
    return Settings.from_environment(superset.publisher_environment(context))


@pytest.fixture(scope="module")
def marts(lake: Lake) -> None:
    """Tables as dbt describes them, with a row or two in each: what is asked is whether charts fit them."""
    for model in MARTS:
        _make(lake, "marts", model)
    _make(lake, "gold", "fct_payments")
    ingested = "SELECT day, source_table, '', 5, 0, last_event_at, last_ingested_at, 60 FROM marts.data_quality"
    lake.query(f"INSERT INTO marts.data_quality {ingested}")


def _make(lake: Lake, schema: str, model: str) -> None:
    described = yaml.safe_load(Path(f"dbt/models/{schema}/{model}.yml").read_text())["models"][0]["columns"]
    values = ", ".join(f"cast({_value(c['data_type'])} AS {c['data_type']}) AS {c['name']}" for c in described)
    lake.query(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    lake.query(f"CREATE TABLE {schema}.{model} AS SELECT {values}")


def _value(kind: str) -> str:
    return "timestamp '2025-01-01 00:00:00 UTC'" if kind.startswith("timestamp") else _ONE_ROW.get(kind, "2")


@pytest.fixture(scope="module")
def client(settings: Settings, marts: None) -> Iterator[httpx.Client]:
    with signed_in(settings) as signed:
        publish(signed, settings)
        yield signed


def test_every_chart_answers_from_trino(client: httpx.Client) -> None:
    answers = ask_charts(client)
    assert {answer.chart: answer.error for answer in answers if answer.error} == {}
    assert [answer.chart for answer in answers if not answer.rows] == []
    assert len(answers) == len(list((FOLDER / "charts").glob("*.yaml")))


def test_published_twice_and_taken_back_the_files_are_as_they_were(client: httpx.Client, settings: Settings) -> None:
    publish(client, settings)
    assert export(client) == []


def test_an_analyst_reads_dashboards_and_changes_none(client: httpx.Client, settings: Settings, lake: Lake) -> None:
    home = Home(lake.engines.home)
    analyst = Settings(
        settings.superset_url,
        "analyst",
        home.secrets([superset.ANALYST_SECRET])[superset.ANALYST_SECRET],
        settings.trino_url,
        settings.trino_user,
        "",
    )
    with signed_in(analyst) as reader:
        chart = reader.get("/api/v1/chart/").json()["result"][0]["id"]
        answered = reader.get(f"/api/v1/chart/{chart}/data/")
        first = reader.get("/api/v1/dashboard/").json()["result"][0]["id"]
        refused = reader.put(f"/api/v1/dashboard/{first}", json={"dashboard_title": "mine"})
        sql = reader.post("/api/v1/sqllab/execute/", json={"database_id": 1, "sql": "SELECT 1"})
    assert answered.status_code == httpx.codes.OK
    assert refused.status_code == httpx.codes.FORBIDDEN
    assert sql.status_code == httpx.codes.FORBIDDEN
