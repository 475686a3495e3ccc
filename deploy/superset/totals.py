"""Asks the dashboards' big numbers for their totals, currency by currency, as the filter on their page does.

    python -m deploy.superset.totals EUR USD     # {"EUR": {"payments": "12", "captured": "120.50", ...}, ...}

Amounts are in the currency's own unit, as the page shows them. Addresses come from the environment, as for `publish`.
"""

# ruff: noqa: INP001, T201 -- a command of a folder that is no package

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx
import yaml

from deploy.superset.publish import FOLDER, PublishError, Settings, signed_in

# Each figure with the chart that shows it; a chart's last query is that of its one number.
_CHARTS = {
    "payments": "payments-count",
    "captured": "money-captured",
    "refunded": "money-refunded",
    "disputed": "money-disputed",
}


def totals(client: httpx.Client, currencies: Sequence[str]) -> dict[str, dict[str, str]]:
    """By currency and figure, as decimals; raises PublishError where a chart does not answer."""
    questions = {figure: _question(client, name) for figure, name in _CHARTS.items()}
    return {
        currency: {figure: _asked(client, figure, question, currency) for figure, question in questions.items()}
        for currency in currencies
    }


def _question(client: httpx.Client, name: str) -> dict[str, Any]:
    """What the chart asks in this Superset, numbers of rows and all."""
    uuid = yaml.safe_load((FOLDER / "charts" / f"{name}.yaml").read_text(encoding="utf-8"))["uuid"]
    response = client.get(f"/api/v1/chart/{uuid}")
    if response.status_code != httpx.codes.OK:
        raise PublishError(f"the chart {name} is not in this Superset ({response.status_code}): publish first")
    question: dict[str, Any] = json.loads(response.json()["result"]["query_context"])
    return {**question, "queries": question["queries"][-1:], "force": True}


def _asked(client: httpx.Client, figure: str, question: Mapping[str, Any], currency: str) -> str:
    (query,) = question["queries"]
    filters = [*query["filters"], {"col": "currency", "op": "IN", "val": [currency]}]
    response = client.post("/api/v1/chart/data", json={**question, "queries": [{**query, "filters": filters}]})
    if response.status_code != httpx.codes.OK:
        raise PublishError(f"{figure} of {currency}: Superset answers {response.status_code}: {response.text[:500]}")
    ((value,),) = (row.values() for row in response.json()["result"][0]["data"])
    return format(Decimal(str(value or 0)), "f")


def main(currencies: list[str]) -> int:
    """Print the totals as JSON; 1 where they are not to be had."""
    settings = Settings.from_environment()
    try:
        with signed_in(settings) as client:
            print(json.dumps(totals(client, currencies), indent=1))
    except (PublishError, httpx.TransportError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
