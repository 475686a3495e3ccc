"""The asset graph is what the snapshot says: a change of it is seen, and made on purpose.

`python -m tests.unit.mlops.pipelines.test_asset_graph` writes the snapshot anew.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

pytestmark = pytest.mark.slow

SNAPSHOT = Path(__file__).with_name("asset_graph.json")


def definitions() -> dg.Definitions:
    """Imported here: Dagster's friends warn of each other's ways on import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlops.pipelines.definitions import defs
    return defs


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return definitions()


def graph_of(defs: dg.Definitions) -> dict[str, Any]:
    """Assets with what they are made of and what may stop what is made of them; jobs; what starts those."""
    repository = defs.get_repository_def()
    graph = repository.asset_graph
    blocking: dict[str, list[str]] = {}
    for check in sorted(graph.asset_check_keys):
        if graph.get(check).blocking:
            blocking.setdefault(check.asset_key.to_user_string(), []).append(check.name)
    return {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "from": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
                "blocked by": blocking.get(key.to_user_string(), []),
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {each.name: f"{each.cron_schedule} {each.job_name}" for each in repository.schedule_defs},
        "sensors": {each.name: each.job_name for each in repository.sensor_defs if each.has_jobs},
    }


def test_the_asset_graph_is_that_of_the_snapshot(defs: dg.Definitions) -> None:
    assert graph_of(defs) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_nothing_is_learned_before_what_it_is_learned_from_was_checked(defs: dg.Definitions) -> None:
    assets = graph_of(defs)["assets"]
    passed: set[str] = set()
    open_keys = ["models/fraud_candidate"]
    while open_keys:
        key = open_keys.pop()
        if key not in passed:
            passed.add(key)
            open_keys += assets[key]["from"]
    stops = {(key, check) for key in passed for check in assets[key]["blocked by"]}
    assert {
        ("bronze/payment_events", "rows_agree"),
        ("gold/fct_payments", "money_agrees"),
        ("features/offline", "point_in_time"),
    } <= stops
    assert len([key for key, _ in stops if key.startswith(("silver/", "gold/"))]) > 3, "dbt's tests stop it too"


def test_two_of_one_source_never_run_at_once(defs: dg.Definitions) -> None:
    graph = defs.get_repository_def().asset_graph
    pools = {
        key.to_user_string(): graph.get(key).pools
        for key in graph.get_all_asset_keys()
        if graph.get(key).group_name in {"ingest", "maintenance"} and graph.get(key).is_materializable
    }
    assert pools["bronze/payment_events"] == pools["maintenance/payment_events"] == {"ingest_payment_events"}
    assert all(each and len(each) == 1 for each in pools.values())


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(graph_of(definitions()), indent=2) + "\n", encoding="utf-8")
    sys.exit(0)
