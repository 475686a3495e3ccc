"""The whole loop on real engines, small: stored events become a lake, features, a model that serves, and dashboards.

Dagster runs it in this process, as its daemon would: the same assets, checks and retries. Tests go along the loop, each
from where the one before has come to.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import httpx
import psycopg
import pyarrow.parquet as pq
import pytest
import yaml
from confluent_kafka import Producer
from iso4217 import Currency
from redis import Redis

from deploy.superset import look
from deploy.superset.publish import FOLDER, Settings, ask_charts, export, publish, signed_in
from deploy.superset.totals import totals
from mlops.monitoring.adapters.postgresql import Findings
from mlops.monitoring.adapters.profiles import Profiles
from mlops.monitoring.jobs import Topics, Watch
from mlops.monitoring.thresholds import thresholds_of
from mlops.pipelines.lib import reconciliation, truth
from mlops.pipelines.lib.ingest import lake_of
from mlops.pipelines.lib.load import load_events
from mlops.pipelines.lib.mart_totals import mart_totals
from mlops.pipelines.lib.places import DBT_PROJECT, places
from mlops.pipelines.lib.predictions import ingest_predictions, prediction_table
from mlops.pipelines.lib.watermark import Reach
from mlops.registry.ports import CHAMPION
from mlops.registry.store import Registry
from mlops.training.candidates import champion_in
from stack.engines import superset
from stack.home import Home
from stack.program import Context
from tests.engines import Engines, only_one, start_more
from tests.integration.conftest import Database, MakeTopic
from tests.integration.lake.loop import (
    CUSTOMERS,
    FUTURE,
    Loop,
    answers,
    definitions,
    failures,
    poisoned,
    registry_of_its_own,
    seeded_world,
)
from tests.lake import Lake

# Dagster, dbt and what they build on warn of each other's ways. Superset's packages are installed by its first start:
# 53 s from a warm cache, minutes from the index.
pytestmark = [pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

STORED = ("payment_events", "decisions", "quarantine")
FINDINGS = ("feature_skew", "feature_drift", "score_drift", "model_performance")
GOLD = dg.AssetSelection.groups("bronze", "silver", "gold", "marts")
BROKEN: Mapping[str, Mapping[str, Any]] = {
    "not_future.provider_created_at": {"provider_created_at": FUTURE},
    "required.merchant_id": {"merchant_id": None},
    "not_negative.amount_cents": {"amount_cents": -5},
    "matches.currency": {"currency": "euro"},
}


def now() -> datetime:
    """The clock of PostgreSQL, Dagster and the online store is the real one."""
    return datetime.fromtimestamp(time.time_ns() / 1e9, UTC)


def empty_store(valkey: str) -> str:
    """A database of the run's Valkey that no other test uses."""
    url = f"{valkey.rpartition('/')[0]}/9"
    Redis.from_url(url).flushdb()
    return url


@pytest.fixture(scope="module")
def loop(database: Database, lake: Lake, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    home = tmp_path_factory.mktemp("home")
    world = seeded_world(home / "world", now().date())
    with pytest.MonkeyPatch.context() as environment, dg.DagsterInstance.ephemeral() as instance:
        for name, value in lake.environment(database.name).items():
            environment.setenv(name, value)
        environment.setenv("TIDEGATE_HOME", str(home))
        environment.setenv("TIDEGATE_FEATURES_FOLDER", str(home / "features"))
        environment.setenv("TIDEGATE_REDIS_URL", empty_store(valkey))
        registry = Registry(registry_of_its_own(home))
        environment.setenv("TIDEGATE_MLFLOW_URL", registry.url)
        list(load_events(world, database.url("writer")))
        unguard(database)
        # Nobody has predicted anything: the table is there, and empty.
        prediction_table(lake.catalog())
        yield Loop(database, lake, definitions(), instance, world, registry)


def unguard(database: Database) -> None:
    """Drop constraints of this module's own database that keep poison out of it, as a careless migration would."""
    with psycopg.connect(database.url("owner"), autocommit=True) as owner:
        owner.execute(
            """ALTER TABLE tidegate.payment_events DROP CONSTRAINT payment_events_amount_cents_check,
            DROP CONSTRAINT payment_events_currency_check, ALTER merchant_id DROP NOT NULL"""
        )


def test_bad_rows_are_set_aside_by_rule_and_the_rest_reaches_bronze(loop: Loop) -> None:
    for number, wrong in enumerate(BROKEN.values()):
        loop.store(poisoned(loop.history, 2, f"few{number}", **wrong))
    ingested = loop.run(dg.AssetSelection.assets(*(["bronze", name] for name in (*STORED, *FINDINGS))))
    assert failures(ingested) == {}
    rows = pq.read_metadata(loop.history / "history.parquet").num_rows
    told = loop.told(["bronze", "payment_events"])
    assert (told["rows"], told["rejected"]) == (rows, 2 * len(BROKEN))
    named = loop.lake.query("SELECT rule_id, count(*) FROM bronze.rejected_rows GROUP BY 1")
    assert dict(map(tuple, named)) == dict.fromkeys(BROKEN, 2)


def test_totals_are_the_same_in_truth_postgresql_gold_and_mart(loop: Loop) -> None:
    run = loop.run(GOLD)
    assert failures(run) == {}
    reach = Reach.of(loop.lake.catalog().load_table("bronze.payment_events").properties)
    assert loop.told(["silver", "payment_events"])["made of bronze as of"] == reach.told()
    assert list(DBT_PROJECT.glob(f"target/*-{run.run_id[:7]}-*")) == [], "megabytes, at each run"
    settings = loop.lake.settings(loop.database.name)
    gold = reconciliation.of_gold(settings)
    stored = reconciliation.of_postgresql(settings.postgresql(), gold.until, gold.unseen)
    assert reconciliation.differences(stored, gold.totals) == []
    expected = truth.totals_of_truth(loop.history)
    assert len({currency for currency, figure in expected if figure == "captured_cents"}) > 1
    assert all(sum(expected[key] for key in expected if key[1] == figure) > 0 for figure in truth.FIGURES)
    told = {"PostgreSQL": truth.totals_of_rows(stored), "gold": truth.totals_of_rows(gold.totals)}
    assert truth.disagreements(expected, {**told, "mart": mart_totals(settings)}) == []


def test_what_checks_have_found_to_hold_they_do_not_compare_again(loop: Loop) -> None:
    run = loop.run(dg.AssetSelection.assets(["bronze", "payment_events"], ["gold", "fct_payments"]))
    assert failures(run) == {}
    compared = {
        check.check_name: str(check.metadata["compared"].value)
        for check in run.get_asset_check_evaluations()
        if "compared" in check.metadata
    }
    assert compared.keys() == {"rows_agree", "money_agrees"}
    assert all(told.startswith("what came behind ") for told in compared.values())


def test_features_are_of_what_was_kept_and_fill_the_online_store(loop: Loop) -> None:
    assert failures(loop.run(dg.AssetSelection.groups("features"))) == {}
    events = pq.read_table(places().history / "history.parquet", columns=["event_id"]).column("event_id")
    kept = pq.read_table(loop.history / "history.parquet", columns=["event_id"]).column("event_id")
    assert sorted(events.to_pylist()) == sorted(kept.to_pylist())
    online = loop.told(["features", "online"])
    assert online["filled"] > CUSTOMERS
    assert online["different"] == 0
    assert (places().features / "customer_stats" / "moments.parquet").is_file()


def test_the_policy_lets_a_model_serve_that_earned_it_and_holds_back_the_others(loop: Loop) -> None:
    assert failures(loop.run(dg.AssetSelection.groups("training"))) == {}
    churn = loop.told(["models", "churn_champion"])
    assert (churn["promoted"], churn["serves"], churn["refused"]) == ("1", "1", "")
    serving = loop.registry.by_alias("churn", CHAMPION)
    assert serving is not None
    assert [(each.action, each.to_version) for each in loop.registry.audit("churn")] == [("promote", serving.number)]
    retry = loop.told(["models", "retry_champion"])
    assert loop.told(["models", "retry_candidate"])["challenger"] == "1", "it learned from what came of declines"
    assert retry["promoted"] == "none"
    assert "data_quality.least_train_positives" in retry["refused"]
    assert loop.registry.by_alias("retry", CHAMPION) is None


def test_what_the_model_answers_is_watched_and_its_findings_reach_the_marts(
    loop: Loop, engines: Engines, make_topic: MakeTopic
) -> None:
    champion = champion_in(loop.registry, "churn")
    assert champion is not None
    topic, kafka = make_topic("inference.predictions"), {"bootstrap.servers": engines.kafka_bootstrap_servers}
    logged = list(answers(champion, places().history, places().training, now()))
    producer = Producer({**kafka, "enable.idempotence": True})
    for value in logged:
        producer.produce(topic, value)
    assert producer.flush(30) == 0
    with Findings(loop.database.url("monitor")) as findings:
        at_us = int(now().timestamp() * 1e6)
        Watch(kafka, Topics(predictions=topic), findings, thresholds_of(), 14, at_us).drift(Profiles(loop.registry))
    assert ingest_predictions(lake_of(loop.lake.settings(loop.database.name)), kafka, topic).rows == len(logged)
    of_findings = dg.AssetSelection.assets(*(["bronze", name] for name in FINDINGS))
    assert failures(loop.run(of_findings)) == {}
    marts = dg.AssetSelection.groups("marts") | dg.AssetSelection.assets(["silver", "predictions"])
    assert failures(loop.run(marts)) == {}
    judged = "SELECT sum(labelled), count(brier) FROM marts.model_performance WHERE model_name = 'churn'"
    labelled, with_brier = loop.lake.query(judged)[0]
    assert labelled > 100
    assert with_brier > 1
    drifts = dict(map(tuple, loop.lake.query("SELECT feature = 'score', count(psi) FROM marts.model_drift GROUP BY 1")))
    assert drifts[True] > 1
    assert drifts[False] > drifts[True]


@dataclass(frozen=True)
class Published:
    """Dashboards in a Superset, and somebody who may change them."""

    settings: Settings
    client: httpx.Client
    secrets: Mapping[str, str]


@pytest.fixture(scope="module")
def published(lake: Lake) -> Iterator[Published]:
    """Of a Superset that knew nothing yet of dashboards, or had what an earlier run published."""
    folder = lake.engines.home
    with only_one(folder.with_suffix(".lock")):
        start_more(folder, "postgresql", "trino", "superset")
    home = Home(folder)
    secrets = home.secrets([*superset.ENGINE.secrets, superset.ANALYST_SECRET])
    settings = Settings.from_environment(
        superset.publisher_environment(Context(home, home.read_state().ports, secrets))
    )
    with signed_in(settings) as client:
        publish(client, settings)
        yield Published(settings, client, secrets)


def test_every_chart_answers_from_the_marts_of_the_loop(published: Published) -> None:
    told = ask_charts(published.client)
    assert {answer.chart: answer.error for answer in told if answer.error} == {}
    assert [answer.chart for answer in told if not answer.rows] == []
    assert len(told) == len(list((FOLDER / "charts").glob("*.yaml")))


def test_totals_on_the_dashboard_are_the_truth_to_the_cent(loop: Loop, published: Published) -> None:
    expected = truth.totals_of_truth(loop.history)
    shown = totals(published.client, sorted({currency for currency, _ in expected}))
    for currency, told in shown.items():
        assert int(told["payments"]) == expected[currency, "payments"]
        for money in ("captured", "refunded", "disputed"):
            cents = Decimal(told[money]).scaleb(Currency(currency).exponent or 0)
            assert cents == expected.get((currency, f"{money}_cents"), 0), (currency, money)


@pytest.mark.skipif(look.installed() is None, reason="no Chromium is installed: apt install chromium")
def test_a_real_browser_draws_every_chart(published: Published) -> None:
    with look.chromium() as page:
        look.sign_in(page, published.settings)
        for name in ("payment-performance", "models"):
            dashboard: dict[str, Any] = yaml.safe_load((FOLDER / "dashboards" / f"{name}.yaml").read_text())
            seen = look.look(page, published.settings, dashboard)
            assert seen.wrong == []
            assert seen.charts > 1


def test_published_twice_and_taken_back_the_files_are_as_they_were(published: Published) -> None:
    publish(published.client, published.settings)
    assert export(published.client) == []


def test_an_analyst_reads_dashboards_and_changes_none(published: Published) -> None:
    analyst = replace(published.settings, user="analyst", password=published.secrets[superset.ANALYST_SECRET])
    with signed_in(analyst) as reader:
        chart = reader.get("/api/v1/chart/").json()["result"][0]["id"]
        answered = reader.get(f"/api/v1/chart/{chart}/data/")
        first = reader.get("/api/v1/dashboard/").json()["result"][0]["id"]
        refused = reader.put(f"/api/v1/dashboard/{first}", json={"dashboard_title": "mine"})
        sql = reader.post("/api/v1/sqllab/execute/", json={"database_id": 1, "sql": "SELECT 1"})
    assert answered.status_code == httpx.codes.OK
    assert refused.status_code == httpx.codes.FORBIDDEN
    assert sql.status_code == httpx.codes.FORBIDDEN


def test_a_poisoned_batch_is_stopped_by_name_and_what_does_not_need_it_goes_on(loop: Loop) -> None:
    loop.store(poisoned(loop.history, 120, "many", provider_created_at=FUTURE))
    before = pq.read_metadata(places().history / "history.parquet").num_rows
    run = loop.run(dg.AssetSelection.assets(*(["bronze", name] for name in STORED), ["features", "history"]))
    assert not run.success
    assert failures(run).keys() == {"bronze__payment_events"}
    assert "not_future.provider_created_at" in failures(run)["bronze__payment_events"]
    kept = "SELECT count(*), count(DISTINCT rule_id) FROM bronze.rejected_rows WHERE key LIKE 'stripe:evt_many_%'"
    assert loop.lake.query(kept) == [[120, 1]]
    done = {event.step_key for event in run.all_events if event.is_step_success}
    assert {"bronze__decisions", "bronze__quarantine"} <= done
    assert "features__history" not in done
    assert not [event for event in run.all_events if event.is_step_up_for_retry], "bad data stays bad"
    assert pq.read_metadata(places().history / "history.parquet").num_rows == before
