"""Feast registers what the catalog says, and joins our rows as we made them; no network."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops.features.catalog import FEATURES, VIEW_OF, VIEWS, Dtype, View, names
from mlops.features.history import FeatureRow, feature_rows
from mlops.features.parquet import write
from mlops.features.repo.settings import FeatureRepoSettings
from mlops.features.repo.store import REPO, environment
from tests.unit.mlops.features.histories import history

# Feast and its own libraries warn of each other.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("socket_disabled")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def store(home: Path) -> Any:
    """A store after the command that does what `feast apply` does. Nothing listens at its online store's address."""
    settings = FeatureRepoSettings(
        redis_url="redis://:secret@127.0.0.1:1/0", features_folder=home, feast_registry=home / "feast" / "registry.db"
    )
    given = {f"TIDEGATE_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    command = [sys.executable, "-m", "mlops.features.repo"]
    done = subprocess.run(command, env={**os.environ, **given}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    from feast import FeatureStore
    from feast.repo_config import load_repo_config

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(settings).items():
            patch.setenv(name, value)
        return FeatureStore(config=load_repo_config(REPO, REPO / "feature_store.yaml"))


def test_feast_knows_exactly_the_catalog(store: Any) -> None:
    registered = {view.name: view for view in store.list_feature_views()}
    assert set(registered) == {view.name for view in VIEWS}
    for view in VIEWS:
        found = registered[view.name]
        assert found.ttl == view.ttl
        assert found.description == view.description
        assert found.tags == {"entity": view.entity.value, "key": view.key}
        assert found.join_keys == [view.join_key]
        assert [(field.name, str(field.dtype), field.description, field.tags) for field in found.features] == [
            (
                each.name,
                {Dtype.INT64: "Int64", Dtype.FLOAT64: "Float64"}[each.dtype],
                each.description,
                {"window": each.window, "unit": each.unit, "source": each.source},
            )
            for each in FEATURES
            if each.view == view.name
        ]
    assert {entity.name: entity.join_key for entity in store.list_entities()} == {
        view.entity.value: view.join_key for view in VIEWS
    }


def test_feast_joins_our_rows_point_in_time(store: Any, home: Path) -> None:
    rows = list(feature_rows(history(seed=3, payments=80), {}))
    write(rows, home)
    for view in VIEWS:
        mine = at_each_moment(view, rows)
        joined = store.get_historical_features(
            entity_df=pd.DataFrame(
                {
                    view.join_key: [key for key, _ in mine],
                    "event_timestamp": pd.to_datetime([at_us for _, at_us in mine], unit="us", utc=True),
                }
            ),
            features=[f"{view.name}:{name}" for name in names(view.entity)],
        ).to_df()
        assert len(joined) == len(mine) > 20
        for record in joined.to_dict("records"):
            row = mine[record[view.join_key], int(record["event_timestamp"].value) // 1000]
            ours = row.values  # noqa: PD011 - no table's
            assert {name: _value(record[name]) for name in ours} == ours


def at_each_moment(view: View, rows: list[FeatureRow]) -> dict[tuple[str, int], FeatureRow]:
    """What was known of each entity at each moment, last: Feast can tell no two rows of one moment apart."""
    found: dict[tuple[str, int], FeatureRow] = {}
    for row in rows:
        if VIEW_OF[row.entity] is view:
            found[row.key, row.event_us] = row
    return found


def _value(value: float) -> float | None:
    return None if pd.isna(value) else value
