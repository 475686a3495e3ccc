"""A recipe makes the same model every time, calibrated, with an artifact that answers alike after a round trip."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlops.registry import calibration
from mlops.registry.artifact import ArtifactError, ReasonText, TrainedModel
from mlops.registry.calibration import Method
from mlops.training import calibrate, evaluation
from mlops.training.recipe import Costs, Recipe, train
from tests.unit.mlops.training.histories import table

RECIPE = Recipe(
    name="toy",
    features=("risk", "noise"),
    rounds=40,
    params={"num_leaves": 7, "min_data_in_leaf": 20, "learning_rate": 0.1, "bagging_fraction": 0.8, "bagging_freq": 1},
    costs=Costs(review=200, wrongly_declined=1_500, missed=10_000),
    increasing=frozenset({"risk"}),
    keep_negatives=0.5,
    reasons={"risk": ReasonText("toy.risk", "the risk is {value}")},
)
DATA = table()


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return train(DATA, RECIPE, code_version="test")


def test_two_trainings_are_the_same_to_the_letter(model: TrainedModel, tmp_path: Path) -> None:
    model.save(tmp_path / "one")
    train(DATA, RECIPE, code_version="test").save(tmp_path / "two")
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_another_seed_is_another_model(model: TrainedModel) -> None:
    other = train(DATA, replace(RECIPE, seed=2), code_version="test")
    assert not np.array_equal(other.predict(DATA.values), model.predict(DATA.values))


def test_probabilities_hold_on_rows_never_seen_though_most_negatives_were_left_out(model: TrainedModel) -> None:
    fresh = table(seed=2)
    said = model.predict(fresh.matrix(model.features))
    assert said.mean() == pytest.approx(fresh.label.mean(), abs=0.015)
    assert evaluation.expected_calibration_error(fresh.label, said, bins=10) < 0.03
    raw = 1 / (1 + np.exp(-model.margin(fresh.values)))
    assert evaluation.log_loss(fresh.label, said) < evaluation.log_loss(fresh.label, raw)


def test_a_probability_never_falls_with_a_feature_that_must_not_lower_it(model: TrainedModel) -> None:
    risks = np.linspace(-4, 4, 400)
    for noise in (-1.0, 0.0, 2.0):
        said = model.predict(np.column_stack([risks, np.full(400, noise)]))
        assert (np.diff(said) >= 0).all()


def test_a_probability_never_rises_with_a_feature_that_must_not_raise_it() -> None:
    data = table(rows=1_500)
    turned = replace(data, features=("safety", "noise"), values=data.values * [-1, 1])
    recipe = replace(
        RECIPE, features=turned.features, increasing=frozenset(), decreasing=frozenset({"safety"}), reasons={}
    )
    said = train(turned, recipe, code_version="test").predict(np.column_stack([np.linspace(-4, 4, 400), np.zeros(400)]))
    assert (np.diff(said) <= 0).all()
    assert said[0] > said[-1]


def test_a_saved_model_answers_and_explains_alike(model: TrainedModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = TrainedModel.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(DATA.values), model.predict(DATA.values))
    assert loaded.explain(DATA.values[:5]) == model.explain(DATA.values[:5])
    assert loaded.thresholds == model.thresholds
    assert loaded.metadata["data"]["fingerprint"] == DATA.fingerprint()


def test_reasons_are_what_raised_the_answer_in_words(model: TrainedModel) -> None:
    (risky,), safe = model.explain(np.array([[3.0, 0.0], [-3.0, 0.0]]), top=1)
    assert (risky.code, risky.words, risky.feature) == ("toy.risk", "the risk is 3", "risk")
    assert risky.contribution > 0
    assert all(reason.feature != "risk" for reason in safe)


def test_a_feature_without_words_speaks_by_its_name(model: TrainedModel) -> None:
    reasons = [r for rows in model.explain(DATA.values[:200], top=2) for r in rows if r.feature == "noise"]
    assert reasons
    assert reasons[0].code == "feature.noise"


def test_a_value_that_is_not_known_is_said_to_be_unknown() -> None:
    assert ReasonText("a", "the amount is {value}").say(float("nan")) == "the amount is unknown"


@pytest.mark.parametrize(
    "file", ["booster.txt", "calibration.json", "thresholds.json", "reasons.json", "features.json"]
)
def test_a_damaged_artifact_is_refused_with_the_files_name(model: TrainedModel, tmp_path: Path, file: str) -> None:
    model.save(tmp_path)
    (tmp_path / file).write_text((tmp_path / file).read_text()[:-4])
    with pytest.raises(ArtifactError, match=file):
        TrainedModel.load(tmp_path)


def test_an_artifact_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"metadata\.json"):
        TrainedModel.load(tmp_path)


def test_an_artifact_of_another_format_is_refused(model: TrainedModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    (tmp_path / "metadata.json").write_text(json.dumps(metadata | {"format": 99}))
    with pytest.raises(ArtifactError, match="format 99"):
        TrainedModel.load(tmp_path)


def test_serving_needs_neither_pandas_nor_scikit_learn(model: TrainedModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    program = (
        "import sys, numpy\n"
        "for name in ('pandas', 'sklearn', 'pyarrow', 'mlflow', 'feast'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from mlops.registry.artifact import TrainedModel\n"
        "print(TrainedModel.load(Path(sys.argv[1])).predict(numpy.zeros((1, 2)))[0])"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) == pytest.approx(float(model.predict(np.zeros((1, 2)))[0]))


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(ValueError, match="lacks the features speed"):
        train(DATA, replace(RECIPE, features=("risk", "speed")), code_version="test")


def test_too_little_history_says_so() -> None:
    with pytest.raises(ValueError, match="leave nothing to train on"):
        train(DATA, replace(RECIPE, calibration_days=90), code_version="test")


def test_the_span_leaves_older_days_out() -> None:
    model = train(DATA, replace(RECIPE, span_days=40), code_version="test")
    assert model.metadata["data"]["first_second"] >= 20 * 86_400


def test_the_fingerprint_follows_every_value() -> None:
    assert DATA.fingerprint() == table().fingerprint()
    values = DATA.values.copy()
    values[7, 1] += 1e-9
    assert replace(DATA, values=values).fingerprint() != DATA.fingerprint()


def test_thresholds_are_where_the_cheapest_decision_changes() -> None:
    thresholds = Costs(review=200, wrongly_declined=1_500, missed=10_000).thresholds()
    assert thresholds == {"review": pytest.approx(0.02), "decline": pytest.approx(1 - 200 / 1_500)}


def test_where_a_review_costs_too_much_there_is_one_threshold() -> None:
    thresholds = Costs(review=2_000, wrongly_declined=1_500, missed=10_000).thresholds()
    assert thresholds["review"] == thresholds["decline"] == pytest.approx(1_500 / 11_500)


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_calibration_finds_the_probability_behind_a_margin(method: Method) -> None:
    random = np.random.default_rng(1)
    margin = random.normal(size=40_000) * 2
    truth = 1 / (1 + np.exp(-(0.7 * margin - 2)))
    fitted = calibrate.fit(method, margin, random.random(40_000) < truth)
    assert np.abs(fitted.probability(margin) - truth).mean() < 0.015
    ascending = fitted.probability(np.linspace(-9, 9, 500))
    assert (np.diff(ascending) >= 0).all()
    again = calibration.Calibration.of_json(json.loads(json.dumps(fitted.as_json())))
    np.testing.assert_array_equal(again.probability(margin), fitted.probability(margin))


@pytest.mark.parametrize("method", ["platt", "beta"])
def test_calibration_never_turns_the_ranking_over(method: Method) -> None:
    margin = np.linspace(-3, 3, 200)
    fitted = calibrate.fit(method, margin, margin < 0)  # a model that is wrong about everything
    assert (np.diff(fitted.probability(margin)) >= 0).all()


def test_calibration_needs_both_labels() -> None:
    with pytest.raises(ValueError, match="both labels"):
        calibrate.fit("platt", np.zeros(3), np.zeros(3, dtype=bool))
