"""The whole loop on real engines, small: stored events become a lake, features, models and a decision of the policy.

Dagster runs it in this process, as its daemon would: the same assets, checks and retries.
"""

import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from redis import Redis

from mlops.pipelines.lib.load import load_events
from mlops.pipelines.lib.places import places
from mlops.pipelines.lib.predictions import prediction_table
from stack.home import REPOSITORY_ROOT
from tests.integration.conftest import Database
from tests.lake import Lake

# Dagster, dbt and what they build on warn of each other's ways.
pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]

CUSTOMERS, DAYS = 1_000, 76
STORED = ("payment_events", "decisions", "quarantine")
FINDINGS = ("feature_skew", "feature_drift", "score_drift", "model_performance")
GOLD = dg.AssetSelection.groups("bronze", "silver", "gold", "marts")


@dataclass
class Loop:
    """A database with a history in it, an empty lake, and Dagster with a memory of its own."""

    database: Database
    lake: Lake
    defs: dg.Definitions
    instance: dg.DagsterInstance
    history: Path

    def run(self, selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
        job = self.defs.resolve_implicit_global_asset_job_def()
        keys = selection.resolve(self.defs.resolve_asset_graph())
        return job.execute_in_process(asset_selection=sorted(keys), instance=self.instance, raise_on_error=False)

    def store(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """As the writer would, row by row."""
        with psycopg.connect(self.database.url("writer")) as connection:
            for row in rows:
                names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
                connection.execute(f"INSERT INTO tidegate.payment_events ({names}) VALUES ({places})", row)  # noqa: S608 - names of ours

    def told(self, key: Sequence[str]) -> Mapping[str, Any]:
        """What the latest materialisation of an asset says."""
        event = self.instance.get_latest_materialization_event(dg.AssetKey(key))
        assert event is not None, f"{key} was never made"
        assert event.asset_materialization is not None
        return {name: each.value for name, each in event.asset_materialization.metadata.items()}


def definitions() -> dg.Definitions:
    """Imported here, since the import alone warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlops.pipelines.definitions import defs
    return defs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history that ended yesterday: what is older than the online store keeps would not be materialised."""
    made = tmp_path_factory.mktemp("world") / "history"
    first_day = datetime.now(UTC).date() - timedelta(days=DAYS)  # noqa: TID251 - the store's clock is the real one
    plan = ["--customers", str(CUSTOMERS), "--days", str(DAYS), "--first-day", first_day.isoformat(), "--seed", "4"]
    command = [sys.executable, "-m", "services.simulator", "--history", str(made), *plan]
    subprocess.run(command, cwd=REPOSITORY_ROOT, check=True, capture_output=True, timeout=180)
    return made


def empty_store(valkey: str) -> str:
    """A database of the run's Valkey that no other test uses."""
    url = f"{valkey.rpartition('/')[0]}/9"
    Redis.from_url(url).flushdb()
    return url


def registry_of_its_own(home: Path) -> str:
    """MLflow on a file: the run's server has other tests' models under the names that are trained here."""
    url = f"sqlite:///{home}/mlflow.db"
    client = MlflowClient(url, url)
    for experiment in ("tidegate-training", "tidegate-audit"):
        client.create_experiment(experiment, artifact_location=(home / "artifacts").as_uri())
    return url


@pytest.fixture(scope="module")
def loop(
    database: Database, lake: Lake, valkey: str, world: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loop]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment, dg.DagsterInstance.ephemeral() as instance:
        for name, value in lake.environment(database.name).items():
            environment.setenv(name, value)
        environment.setenv("TIDEGATE_HOME", str(home))
        environment.setenv("TIDEGATE_FEATURES_FOLDER", str(home / "features"))
        environment.setenv("TIDEGATE_REDIS_URL", empty_store(valkey))
        environment.setenv("TIDEGATE_MLFLOW_URL", registry_of_its_own(home))
        list(load_events(world, database.url("writer")))
        # Nobody has predicted anything: the table is there, and empty.
        prediction_table(lake.catalog())
        yield Loop(database, lake, definitions(), instance, world)


def poisoned(history: Path, count: int, name: str) -> list[dict[str, Any]]:
    """Events that PostgreSQL takes and no provider can have sent: of a time to come."""
    events = pq.read_table(history / "history.parquet").slice(0, count).to_pylist()
    wrong = datetime(2999, 1, 1, tzinfo=UTC)
    return [
        {
            **{column: value for column, value in event.items() if column != "metadata"},
            "metadata": "{}",
            "event_id": f"stripe:evt_{name}_{number}",
            "provider_event_id": f"evt_{name}_{number}",
            "provider_created_at": wrong,
        }
        for number, event in enumerate(events)
    ]


def test_stored_events_become_features_models_and_a_decision_of_the_policy(loop: Loop) -> None:
    loop.store(poisoned(loop.history, 3, "few"))
    ingested = loop.run(dg.AssetSelection.assets(*(["bronze", name] for name in (*STORED, *FINDINGS))))
    assert ingested.success
    told = loop.told(["bronze", "payment_events"])
    rows = pq.read_metadata(loop.history / "history.parquet").num_rows
    assert (told["rows"], told["rejected"]) == (rows, 3), "a few bad rows are set aside, and the rest goes on"
    named = loop.lake.query("SELECT DISTINCT rule_id FROM bronze.rejected_rows")
    assert named == [["not_future.provider_created_at"]]

    built = loop.run(GOLD)
    assert built.success
    payments = loop.lake.query("SELECT count(*) FROM gold.fct_payments")[0][0]
    truth = pq.read_table(loop.history / "history.parquet", columns=["payment_id"])
    assert payments == len(pc.unique(truth.column("payment_id")))

    learned = loop.run(dg.AssetSelection.groups("features", "training"))
    assert learned.success
    assert loop.told(["features", "history"])["events"] == rows
    online = loop.told(["features", "online"])
    assert online["filled"] > CUSTOMERS
    assert online["different"] == 0
    retry = loop.told(["models", "retry_champion"])
    assert loop.told(["models", "retry_candidate"])["challenger"] == "1", (
        "what happened after declines was learned from"
    )
    assert retry["promoted"] == "none"
    assert "data_quality.least_train_positives" in retry["refused"], "the policy decides, and says why"
    assert "history is too short" in loop.told(["models", "churn_candidate"])["too_short"], "twice 45 days are not over"
    assert (places().features / "customer_stats" / "moments.parquet").is_file()


def test_a_poisoned_batch_is_stopped_by_name_and_what_does_not_need_it_goes_on(loop: Loop) -> None:
    loop.store(poisoned(loop.history, 120, "many"))
    before = pq.read_metadata(places().history / "history.parquet").num_rows
    run = loop.run(dg.AssetSelection.assets(*(["bronze", name] for name in STORED), ["features", "history"]))
    assert not run.success
    failed = [event for event in run.all_events if event.is_step_failure]
    assert [event.step_key for event in failed] == ["bronze__payment_events"]
    assert "not_future.provider_created_at" in str(failed[0].step_failure_data.user_failure_data)
    done = {event.step_key for event in run.all_events if event.is_step_success}
    assert {"bronze__decisions", "bronze__quarantine"} <= done
    assert "features__history" not in done
    assert not [event for event in run.all_events if event.is_step_up_for_retry], "bad data stays bad"
    assert pq.read_metadata(places().history / "history.parquet").num_rows == before
