"""Models in a real MLflow: a training becomes a version, serves, is replaced, comes back; over a restart too."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from mlops.registry.artifact import TrainedModel
from mlops.registry.evidence import EVIDENCE_FILE, Evidence
from mlops.registry.ports import CHALLENGER, CHAMPION, RegistryError, Version
from mlops.registry.promotion import promote, rollback
from mlops.registry.replays import Replayed
from mlops.registry.store import Registry, Training
from mlops.training.cards import Purpose
from mlops.training.judging import Answers
from mlops.training.publishing import CARD_FILE, Judged, publish
from mlops.training.recipe import train
from tests.engines import STOP_SECONDS, Engines, stack_command, start_more
from tests.fakes.model_registry_suite import GOOD, POLICY, PromotionSuite, against, order
from tests.unit.mlops.training.histories import table
from tests.unit.mlops.training.test_training import RECIPE

pytestmark = pytest.mark.timeout(600)

PURPOSE = Purpose("Toy", "Nothing.", "Made up.", ("It is a toy.",))
DATA = table()


@pytest.fixture
def registry(mlflow: str) -> Registry:
    return Registry(mlflow)


@pytest.fixture
def model(unique_name: Callable[[str], str]) -> str:
    return unique_name("fraud")


@pytest.fixture
def add(registry: Registry, model: str, tmp_path: Path) -> Callable[[Evidence], Version]:
    def of(evidence: Evidence) -> Version:
        folder, beside = tmp_path / "model", tmp_path / "beside"
        folder.mkdir(exist_ok=True)
        beside.mkdir(exist_ok=True)
        (folder / "weights").write_text("1")
        (beside / EVIDENCE_FILE).write_text(evidence.as_json())
        training = Training(model, folder, beside, {}, {"rounds": "1"}, {"brier": 0.1}, {})
        return registry.register(training, registry.log(training, started_ms=1_000))

    return of


class TestInMlflow(PromotionSuite):
    pass


def judged(seed: int, evidence: Evidence = GOOD) -> Judged:
    trained = train(table(seed=seed), RECIPE, code_version="test")
    rows = DATA.matrix(trained.features)
    answers = Answers("candidate", trained.predict(rows), 0.5)
    return Judged(trained, evidence, DATA.label, [answers], "history", rows)


def test_a_training_becomes_a_challenger_with_all_that_a_reviewer_wants(
    registry: Registry, mlflow: str, model: str, tmp_path: Path
) -> None:
    one = judged(seed=1)
    version, new = publish(registry, model, one, PURPOSE, started_ms=1_000)
    assert new
    assert version.number == "1"
    challenger = registry.by_alias(model, CHALLENGER)
    assert challenger is not None
    assert challenger.run_id == version.run_id
    client = MlflowClient(mlflow)
    run = client.get_run(version.run_id).data
    assert run.params["params.learning_rate"] == "0.1"
    assert run.metrics["average_precision"] == GOOD.figures["average_precision"].value
    assert run.tags["tidegate.data_fingerprint"] == one.model.metadata["data"]["fingerprint"]
    assert run.tags["tidegate.code_version"] == "test"
    files = {file.path for file in client.list_artifacts(version.run_id)}
    assert files >= {"model", CARD_FILE, EVIDENCE_FILE, "calibration.png", "precision_recall.png", "importance.png"}
    fetched = TrainedModel.load(registry.fetch(version, tmp_path))
    np.testing.assert_array_equal(
        fetched.predict(DATA.matrix(fetched.features)), one.model.predict(DATA.matrix(one.model.features))
    )
    profile = registry.profile(version, tmp_path)
    assert profile is not None
    assert profile.score.rows == len(DATA)
    assert set(profile.features) == set(one.model.features)
    signature = (tmp_path / "model" / "MLmodel").read_text()
    assert all(name in signature for name in (*RECIPE.features, "probability"))


def test_the_same_model_is_registered_once_until_another_serves(registry: Registry, model: str) -> None:
    first, _ = publish(registry, model, judged(seed=1), PURPOSE, started_ms=1_000)
    again, new = publish(registry, model, judged(seed=1), PURPOSE, started_ms=2_000)
    assert (again.number, new) == (first.number, False)
    registry.unpoint(model, CHALLENGER)
    publish(registry, model, judged(seed=1), PURPOSE, started_ms=2_500)
    challenger = registry.by_alias(model, CHALLENGER)
    assert challenger is not None, "a training that was killed before it said so"
    assert challenger.number == first.number
    other, new = publish(registry, model, judged(seed=2), PURPOSE, started_ms=3_000)
    assert new
    promote(registry, model, other.number, POLICY, order(4_000))
    rejudged, new = publish(registry, model, judged(seed=1, evidence=against(other)), PURPOSE, started_ms=5_000)
    assert new, "evidence against who serves now is new, though the model is not"
    promote(registry, model, rejudged.number, POLICY, order(6_000))
    publish(registry, model, judged(seed=2), PURPOSE, started_ms=7_000)
    assert registry.by_alias(model, CHALLENGER) is None, "what served once, and no longer does, is no challenger again"


def test_a_replay_is_kept_with_its_candidate(
    registry: Registry, mlflow: str, model: str, add: Callable[[Evidence], Version], tmp_path: Path
) -> None:
    version = add(GOOD)
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "replay.html").write_text("<!doctype html>")
    for flips in (7, 3):
        registry.record_replay(version, Replayed("4", "a to b", 2_000, flips, 1_000, "ada"), pages)
    kept = Replayed.of_tags(registry.version(model, version.number).tags, "4")
    assert kept == Replayed("4", "a to b", 2_000, 3, 1_000, "ada")
    files = MlflowClient(mlflow).list_artifacts(version.run_id, "replay/against-4")
    assert [file.path for file in files] == ["replay/against-4/replay.html"]


def test_what_serves_and_its_record_outlive_the_server(
    registry: Registry, engines: Engines, mlflow: str, model: str, add: Callable[[Evidence], Version], tmp_path: Path
) -> None:
    first = add(GOOD)
    promote(registry, model, first.number, POLICY, order(1_000, "first"))
    second = add(against(first))
    promote(registry, model, second.number, POLICY, order(2_000, "better"))
    stopped = stack_command(engines.home, "down", "mlflow", timeout=STOP_SECONDS)
    assert stopped.returncode == 0, stopped.stdout
    with pytest.raises(RegistryError, match="make status"):
        registry.by_alias(model, CHAMPION)
    start_more(engines.home, "postgresql", "seaweedfs", "mlflow")
    assert [record.why for record in registry.audit(model)] == ["first", "better"]
    rollback(registry, model, order(3_000, "complaints"))
    serving = registry.by_alias(model, CHAMPION)
    assert serving is not None
    assert serving.number == first.number
    client = MlflowClient(mlflow)
    audited = client.get_experiment_by_name("tidegate-audit")
    assert audited is not None
    runs = client.search_runs([audited.experiment_id], f"tags.`tidegate.model` = '{model}'")
    lines = [Path(client.download_artifacts(run.info.run_id, "audit.jsonl", str(tmp_path))).read_text() for run in runs]
    assert sorted(json.loads(line)["at_ms"] for line in lines) == [1_000, 2_000, 3_000]
    assert {run.info.status for run in runs} == {"FINISHED"}
