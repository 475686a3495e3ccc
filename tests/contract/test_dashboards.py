"""Dashboards ask for what dbt makes, show nothing personal, and never add up money of several currencies."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import iso4217
import pytest
import yaml

from stack.engines.trino import READ_ONLY_CATALOG

FOLDER = Path("deploy/superset/dashboards")
MODELS = Path("dbt/models")
# Functions and words of SQL that metrics are written in.
SQL_WORDS = {
    *("sum", "min", "max", "count", "count_if", "max_by", "array_agg", "array_sort", "element_at", "nullif"),
    *("cast", "as", "double", "integer"),
    *("case", "when", "then", "end", "is", "not", "null"),
    "e",  # of a number such as 60e0
}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def assets(kind: str) -> dict[str, dict[str, Any]]:
    return {path.stem: read(path) for path in sorted((FOLDER / kind).glob("*.yaml"))}


DATASETS = assets("datasets")
CHARTS = assets("charts")
DASHBOARDS = assets("dashboards")
BY_UUID = {dataset["uuid"]: dataset for dataset in DATASETS.values()}


def dbt(kind: str) -> Iterator[dict[str, Any]]:
    for path in sorted(MODELS.rglob("*.yml")):
        yield from read(path).get(kind) or []


def columns_of_models() -> dict[str, set[str]]:
    return {model["name"]: {column["name"] for column in model.get("columns", [])} for model in dbt("models")}


def models_of(dataset: dict[str, Any]) -> set[str]:
    return set(re.findall(r"\bfrom (?:marts|gold)\.(\w+)", dataset["sql"]))


def columns_of(dataset: dict[str, Any]) -> set[str]:
    return {column["column_name"] for column in dataset["columns"]}


def metrics_of(dataset: dict[str, Any]) -> dict[str, str]:
    return {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}


def shown_charts(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    items = [item for item in dashboard["position"].values() if isinstance(item, dict)]
    return [item["meta"] for item in items if item["type"] == "CHART"]


def charts_on(dashboard: dict[str, Any]) -> set[str]:
    return {shown["uuid"] for shown in shown_charts(dashboard)}


def test_every_id_is_given_once() -> None:
    ids = [
        asset["uuid"] for kind in ("databases", "datasets", "charts", "dashboards") for asset in assets(kind).values()
    ]
    assert len(ids) == len(set(ids))


def test_every_chart_is_on_a_dashboard_and_every_dashboard_has_its_charts() -> None:
    shown = [uuid for dashboard in DASHBOARDS.values() for uuid in charts_on(dashboard)]
    assert sorted(shown) == sorted(chart["uuid"] for chart in CHARTS.values())


def test_dashboards_ask_by_the_catalog_that_changes_nothing() -> None:
    assert {dataset["catalog"] for dataset in DATASETS.values()} == {READ_ONLY_CATALOG}
    assert read(FOLDER / "databases" / "lake.yaml")["sqlalchemy_uri"].endswith(f"/{READ_ONLY_CATALOG}")
    assert not [name for name, dataset in DATASETS.items() if re.search(r"\blake\.", dataset["sql"])]


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_reads_models_of_dbt_and_columns_that_they_have(name: str) -> None:
    dataset, models = DATASETS[name], columns_of_models()
    read_from = models_of(dataset)
    assert read_from
    assert read_from <= models.keys()
    made = set(re.findall(r"\bas (\w+)\b(?! \()", dataset["sql"]))
    made |= {column for names in re.findall(r"\bas \w+ \(([\w, ]+)\)", dataset["sql"]) for column in names.split(", ")}
    assert columns_of(dataset) <= made.union(*(models[model] for model in read_from))


@pytest.mark.parametrize("name", DATASETS)
def test_metrics_use_columns_of_their_dataset(name: str) -> None:
    for metric, expression in metrics_of(DATASETS[name]).items():
        words = set(re.findall(r"\b[a-z_]+\b", re.sub(r"'[^']*'", "", expression)))
        assert words - SQL_WORDS <= columns_of(DATASETS[name]), metric


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_asks_for_metrics_and_columns_of_its_dataset(name: str) -> None:
    chart = CHARTS[name]
    dataset = BY_UUID[chart["dataset_uuid"]]
    params = chart["params"]
    metrics = {*params.get("metrics", []), *filter(None, [params.get("metric"), params.get("timeseries_limit_metric")])}
    asked = [params.get("groupby") or [], [params["x_axis"]] if "x_axis" in params else []]
    columns = {column for group in asked for column in ([group] if isinstance(group, str) else group)}
    for query in json.loads(chart["query_context"])["queries"]:
        metrics |= set(query["metrics"])
        columns |= {column if isinstance(column, str) else column["sqlExpression"] for column in query["columns"]}
    assert metrics
    assert metrics <= metrics_of(dataset).keys()
    assert columns <= columns_of(dataset)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_filters_choose_from_columns_that_exist_and_spare_charts_that_exist(name: str) -> None:
    dashboard = DASHBOARDS[name]
    numbers = {shown["chartId"] for shown in shown_charts(dashboard)}
    for chosen in dashboard["metadata"]["native_filter_configuration"]:
        assert set(chosen["scope"]["excluded"]) <= numbers
        for target in filter(None, chosen["targets"]):
            assert target["column"]["name"] in columns_of(BY_UUID[target["datasetUuid"]])


def test_no_dataset_reads_what_the_contracts_call_personal() -> None:
    personal = {
        column["name"]
        for source in dbt("sources")
        for table in source["tables"]
        for column in table["columns"]
        if column.get("config", {}).get("meta", {}).get("sensitivity") not in {"operational", "public", None}
    }
    assert {"customer_id", "card_fingerprint", "card_last_four"} <= personal
    for name, dataset in DATASETS.items():
        words = set(re.findall(r"\w+", dataset["sql"])) | columns_of(dataset)
        assert not words & personal, name


def test_money_of_several_currencies_has_no_sum() -> None:
    summed = 0
    for name, dataset in DATASETS.items():
        cents = {column for column in columns_of(dataset) if column.endswith("_cents")}
        money = cents | {column.removesuffix("_cents") for column in cents}
        for metric, expression in metrics_of(dataset).items():
            if money & set(re.findall(r"\w+", expression)):
                summed += 1
                assert expression.startswith("case when min(currency) = max(currency) then "), (name, metric)
    assert summed


@pytest.mark.parametrize("name", [name for name, dataset in DATASETS.items() if "minor_units" in dataset["sql"]])
def test_minor_units_are_those_of_iso_4217(name: str) -> None:
    told = {
        code: int(units)
        for codes, units in re.findall(r"when currency in \(([^)]+)\) then (\d+)", DATASETS[name]["sql"])
        for code in re.findall(r"'(\w{3})'", codes)
    }
    wanted = {
        currency.code.upper(): 10**exponent
        for currency in iso4217.Currency
        if (exponent := currency.exponent) is not None
    }
    assert {code: told.get(code, 100) for code in wanted} == wanted


def test_every_dashboard_is_an_exposure_of_the_models_that_it_reads() -> None:
    told = {
        exposure["label"]: {re.findall(r"ref\('(\w+)'\)", model)[0] for model in exposure["depends_on"]}
        for exposure in dbt("exposures")
    }
    by_uuid = {chart["uuid"]: chart for chart in CHARTS.values()}
    read_by = {
        dashboard["dashboard_title"]: {
            model for uuid in charts_on(dashboard) for model in models_of(BY_UUID[by_uuid[uuid]["dataset_uuid"]])
        }
        for dashboard in DASHBOARDS.values()
    }
    assert told == read_by
