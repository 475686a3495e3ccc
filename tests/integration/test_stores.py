"""The stores of features and models, as tests get them: the fixtures `valkey` and `mlflow`."""

from collections.abc import Callable

import pytest
from mlflow import MlflowClient
from redis import Redis

pytestmark = pytest.mark.timeout(600)


def test_the_online_store_keeps_a_hash(valkey: str, unique_name: Callable[[str], str]) -> None:
    with Redis.from_url(valkey) as store:
        key = unique_name("stores")
        store.hset(key, mapping={b"feature": b"\x00\xff"})
        assert store.hgetall(key) == {b"feature": b"\x00\xff"}
        store.delete(key)


def test_a_model_version_is_found_by_its_alias(mlflow: str, unique_name: Callable[[str], str]) -> None:
    client = MlflowClient(mlflow)
    name = unique_name("model")
    run = client.create_run(client.create_experiment(unique_name("stores")))
    client.log_text(run.info.run_id, "weights", "model/booster.txt")
    client.create_registered_model(name)
    version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias(name, "champion", version.version)
    assert client.get_model_version_by_alias(name, "champion").run_id == run.info.run_id
