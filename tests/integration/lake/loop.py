"""A seeded history on its way through the lake: Dagster in the test's own process, and what a model answered of it."""

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.protobuf.timestamp_pb2 import Timestamp
from mlflow import MlflowClient
from tidegate.inference.v1.assessment_service_pb2 import QUESTION_CHURN
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_MODEL_ERROR
from tidegate.inference.v1.prediction_logged_pb2 import LoggedFeature, PredictionLogged

from mlops.features.windows import DAY_US
from mlops.registry.store import Registry
from mlops.training.candidates import Champion
from mlops.training.churn.world import churn_attempts
from stack.home import REPOSITORY_ROOT
from tests.integration.conftest import Database
from tests.lake import Lake

SEED, CUSTOMERS, DAYS, FIRST_DAY = 4, 1_200, 365, date(2025, 11, 22)
"""A world in which the policy lets the churn model serve: it has 1,612 attempts of customers about to leave to learn
from, and is surely better than recency, frequency and amount. Another seed or size is another world."""
_MOVED = ("history.parquet", "labels/payments.parquet")
# Days before now of which a model's answers are logged: of the first ones it is known by now what came of them.
_ASKED_DAYS = ((50, 60), (0, 14))


@dataclass
class Loop:
    """A database with a history in it, an empty lake, and Dagster with a memory of its own."""

    database: Database
    lake: Lake
    defs: dg.Definitions
    instance: dg.DagsterInstance
    history: Path
    registry: Registry

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


def failures(run: dg.ExecuteInProcessResult) -> Mapping[str, str]:
    """Steps that failed, each with its own words."""
    return {
        event.step_key: str(event.step_failure_data.user_failure_data or event.step_failure_data.error)
        for event in run.all_events
        if event.is_step_failure and event.step_key
    }


def definitions() -> dg.Definitions:
    """Imported here, since the import alone warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlops.pipelines.definitions import defs
    return defs


def seeded_world(folder: Path, today: date) -> Path:
    """The same world whenever it is made, moved by whole weeks so that it ends in the week before today.

    The online store keeps nothing that is much older; and another first day would be another world.
    """
    plan = [
        "--customers",
        str(CUSTOMERS),
        "--days",
        str(DAYS),
        "--first-day",
        FIRST_DAY.isoformat(),
        "--seed",
        str(SEED),
    ]
    command = [sys.executable, "-m", "services.simulator", "--history", str(folder), *plan]
    subprocess.run(command, cwd=REPOSITORY_ROOT, check=True, capture_output=True, timeout=180)
    weeks = (today - FIRST_DAY - timedelta(days=DAYS)) // timedelta(weeks=1)
    for name in _MOVED:
        _move(folder / name, timedelta(weeks=weeks))
    origin = json.loads((folder / "world.json").read_text())
    moved = (FIRST_DAY + timedelta(weeks=weeks)).isoformat()
    (folder / "world.json").write_text(json.dumps({**origin, "first_day": moved}))
    return folder


def _move(file: Path, by: timedelta) -> None:
    rows = pq.read_table(file)
    columns = [
        pc.add(column, pa.scalar(by, pa.duration(column.type.unit))) if pa.types.is_timestamp(column.type) else column
        for column in rows.columns
    ]
    pq.write_table(pa.table(columns, schema=rows.schema), file)


def registry_of_its_own(home: Path) -> str:
    """MLflow on a file: the run's server has other tests' models under the names that are trained here."""
    url = f"sqlite:///{home}/mlflow.db"
    client = MlflowClient(url, url)
    for experiment in ("tidegate-training", "tidegate-audit"):
        client.create_experiment(experiment, artifact_location=(home / "artifacts").as_uri())
    return url


def poisoned(history: Path, count: int, name: str, **wrong: Any) -> list[dict[str, Any]]:
    """Events of the history once more, under ids of their own and with something that no provider can have sent."""
    events = pq.read_table(history / "history.parquet").slice(0, count).to_pylist()
    return [
        {
            **{column: value for column, value in event.items() if column != "metadata"},
            "metadata": "{}",
            "event_id": f"stripe:evt_{name}_{number}",
            "provider_event_id": f"evt_{name}_{number}",
            **wrong,
        }
        for number, event in enumerate(events)
    ]


FUTURE = datetime(2999, 1, 1, tzinfo=UTC)


def answers(champion: Champion, history: Path, cache: Path, now: datetime) -> Iterator[bytes]:
    """What the model says of the history's attempts of some days, as inference logs it; now and then rules stand in."""
    number, model = champion
    attempts = churn_attempts(history, cache)
    days_ago = (int(now.timestamp() * 1e6) - attempts.labels.occurred_us) / DAY_US
    asked = np.any([(first <= days_ago) & (days_ago < last) for first, last in _ASKED_DAYS], axis=0)
    rows = attempts.values.where(asked).matrix(model.features)
    of = attempts.table.filter(pa.array(asked)).select(["event_id", "payment_id", "merchant_id", "occurred_us"])
    for place, (row, values, score) in enumerate(zip(of.to_pylist(), rows, model.predict(rows), strict=True)):
        occurred = Timestamp()
        occurred.FromMicroseconds(row.pop("occurred_us"))
        by_rules = place % 20 == 0
        features = [
            LoggedFeature(name=name, value=None if np.isnan(value) else value, missing=bool(np.isnan(value)))
            for name, value in zip(model.features, values, strict=True)
        ]
        message = PredictionLogged(
            **row,
            question=QUESTION_CHURN,
            model_name="rules" if by_rules else "churn",
            model_version="1" if by_rules else number,
            model_alias="" if by_rules else "champion",
            fallback=by_rules,
            fallback_cause=FALLBACK_CAUSE_MODEL_ERROR if by_rules else None,
            score=score,
            features=features,
            occurred_at=occurred,
            predicted_at=occurred,
        )
        yield b"\0\0\0\0\7\0" + message.SerializeToString()
