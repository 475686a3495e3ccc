"""Totals are asked of the dashboards' own charts, with the filter that their page sets, past every cache."""

import json
from collections.abc import Mapping

import httpx
import pytest
import yaml

from deploy.superset.publish import FOLDER, PublishError
from deploy.superset.totals import totals

SHOWN: Mapping[tuple[str, str], float | None] = {
    ("captured", "EUR"): 120.5,
    ("payments", "EUR"): 3,
    ("captured", "JPY"): None,
}


class Superset:
    """The part of its API that shows what a chart asks, and answers it."""

    def __init__(self) -> None:
        files = [yaml.safe_load(path.read_text()) for path in (FOLDER / "charts").glob("*.yaml")]
        self.charts = {chart["uuid"]: chart["query_context"] for chart in files}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            context = self.charts.get(request.url.path.rpartition("/")[2])
            return httpx.Response(200, json={"result": {"query_context": context}}) if context else httpx.Response(404)
        asked = json.loads(request.content)
        (query,) = asked["queries"]
        (metric,) = query["metrics"]
        ((currency,),) = [each["val"] for each in query["filters"] if each["col"] == "currency"]
        assert asked["force"] is True
        assert query["columns"] == []
        return httpx.Response(200, json={"result": [{"data": [{metric: SHOWN.get((metric, currency), 0)}]}]})


def client(superset: Superset) -> httpx.Client:
    return httpx.Client(base_url="http://superset", transport=httpx.MockTransport(superset))


def test_each_currency_is_asked_of_the_charts_that_show_one_number() -> None:
    told = totals(client(Superset()), ["EUR", "JPY"])
    assert told["EUR"] == {"payments": "3", "captured": "120.5", "refunded": "0", "disputed": "0"}
    assert told["JPY"]["captured"] == "0", "of a currency without money the chart shows nothing"


def test_a_chart_that_was_never_published_is_named() -> None:
    superset = Superset()
    superset.charts.clear()
    with pytest.raises(PublishError, match="payments-count is not in this Superset"):
        totals(client(superset), ["EUR"])
