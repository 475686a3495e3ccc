"""Feast reads from a real Valkey exactly what we wrote, and we read exactly what Feast wrote."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from redis import Redis

from mlops.features.catalog import FEATURES, VIEWS, Dtype, Feature, View, names
from mlops.features.online import VALUE_FIELDS, stored_values
from mlops.features.online_layout import COLUMNS, encode_moment, encode_value, hash_key, moment_field
from mlops.features.parquet import CREATED_COLUMN, EVENT_TIME_COLUMN
from mlops.features.repo.settings import FeatureRepoSettings
from mlops.features.repo.store import REPO, environment
from mlops.features.transform import Values

# Feast and its own libraries warn of each other, and take half a minute to be imported on a busy machine.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(400)]

# A database that no other test and no stack has: Feast's project has one name.
_DATABASE = "7"
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=120)
Written: TypeAlias = tuple[View, Sequence[tuple[str, Values]]]
MOMENTS_US = st.integers(1_000_000, 4_102_444_800_000_000)
# A row of some thirty values takes longer to shrink than to read.
ENOUGH = settings(max_examples=100, phases=[Phase.explicit, Phase.generate])


def a_value(feature: Feature, whole: st.SearchStrategy[int]) -> st.SearchStrategy[float | None]:
    numbers: st.SearchStrategy[float] = whole if feature.dtype is Dtype.INT64 else st.floats(allow_nan=False)
    return st.none() | numbers


def values_of(view: View, whole: st.SearchStrategy[int]) -> st.SearchStrategy[Values]:
    return st.fixed_dictionaries({each.name: a_value(each, whole) for each in FEATURES if each.view == view.name})


def rows_with(whole: st.SearchStrategy[int]) -> st.SearchStrategy[Written]:
    return st.sampled_from(VIEWS).flatmap(
        lambda view: st.tuples(
            st.just(view),
            st.lists(st.tuples(KEYS, values_of(view, whole)), min_size=1, max_size=3, unique_by=lambda row: row[0]),
        )
    )


# Of a column with gaps, Feast takes whole numbers through doubles before it writes them.
EXACT_IN_DOUBLES = st.integers(-(1 << 53), 1 << 53)


@pytest.fixture(scope="module")
def redis_url(valkey: str) -> str:
    return valkey.rsplit("/", 1)[0] + f"/{_DATABASE}"


@pytest.fixture(scope="module")
def client(redis_url: str) -> Iterator["Redis"]:
    with Redis.from_url(redis_url) as client:
        yield client
        client.flushdb()


@pytest.fixture(scope="module")
def feast(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Feast's own store over the same Valkey, registered as a deployment registers it."""
    home = tmp_path_factory.mktemp("feast")
    given = FeatureRepoSettings(redis_url=redis_url, features_folder=home, feast_registry=home / "registry.db")
    named = {f"TIDEGATE_{name.upper()}": str(value) for name, value in given.model_dump().items()}
    command = [sys.executable, "-m", "mlops.features.repo"]
    subprocess.run(command, env={**os.environ, **named}, capture_output=True, check=True)
    from feast import FeatureStore
    from feast.repo_config import load_repo_config

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(given).items():
            patch.setenv(name, value)
        return FeatureStore(config=load_repo_config(REPO, REPO / "feature_store.yaml"))


@ENOUGH
@given(rows=rows_with(st.integers(-(1 << 63), (1 << 63) - 1)), moment_us=MOMENTS_US)
def test_feast_reads_what_we_wrote(feast: Any, client: "Redis", rows: Written, moment_us: int) -> None:
    view, written = rows
    for key, values in written:
        place = hash_key(view, key)
        client.delete(place)
        fields: dict[Any, Any] = {field: encode_value(dtype, values[name]) for field, name, dtype in COLUMNS[view.name]}
        client.hset(place, mapping={**fields, moment_field(view.name): encode_moment(moment_us)})
    answer = feast.get_online_features(
        features=[f"{view.name}:{name}" for name in names(view.entity)],
        entity_rows=[{view.join_key: key} for key, _ in written],
    ).to_dict()
    for name in names(view.entity):
        assert answer[name] == [values[name] for _, values in written]


@ENOUGH
@given(rows=rows_with(EXACT_IN_DOUBLES), moment_us=MOMENTS_US)
def test_we_read_what_feast_wrote(feast: Any, client: "Redis", rows: Written, moment_us: int) -> None:
    view, written = rows
    for key, _ in written:
        client.delete(hash_key(view, key))  # Feast writes nothing that is not newer
    kinds = {each.name: each.dtype for each in FEATURES if each.view == view.name}
    columns = {
        name: pd.array([values[name] for _, values in written], dtype="Int64" if kind is Dtype.INT64 else object)
        for name, kind in kinds.items()
    }
    moment = datetime.fromtimestamp(moment_us // 1_000_000, UTC)
    frame = pd.DataFrame(
        {view.join_key: [key for key, _ in written], EVENT_TIME_COLUMN: moment, CREATED_COLUMN: moment, **columns}
    )
    feast.write_to_online_store(view.name, df=frame)
    for key, values in written:
        reply: Any = client.hmget(hash_key(view, key), list(VALUE_FIELDS[view.name]))
        read = stored_values(view, reply, int(moment.timestamp()) * 1_000_000 + 5_000_000)
        assert read.values == values  # noqa: PD011 - no table's
        assert (read.age_us, read.stale, read.missing) == (5_000_000, False, False)
