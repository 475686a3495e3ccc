"""Evidence: gains that are above 0 for the better model in every measure, and segments that are told apart."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mlops.features.catalog import FEATURES as CATALOG
from mlops.registry.evidence import Evidence
from mlops.training.baseline import LogisticRegression
from mlops.training.cards import Purpose, card
from mlops.training.churn.world_recipe import RECIPE as CHURN
from mlops.training.fraud.world_recipe import RECIPE as FRAUD
from mlops.training.judging import Answers, judge
from mlops.training.recipe import Recipe, train
from tests.unit.mlops.training.histories import table
from tests.unit.mlops.training.test_training import RECIPE as TOY

pytestmark = pytest.mark.slow

TRAINED, TESTED = table(seed=1), table(seed=2)
RISK = TESTED.values[:, 0]
TRUE = Answers("truth", 1 / (1 + np.exp(3.5 - 2 * RISK)), 0.5)
BLIND = Answers("blind", np.full(len(TESTED), TRAINED.label.mean()) + 1e-9 * np.arange(len(TESTED)), 0.5)
PARTS = ["low" if risk < 0 else "high" for risk in RISK]


def evidence(candidate: Answers = TRUE, other: Answers = BLIND) -> Evidence:
    return judge(TRAINED, TESTED, candidate, other, features=("risk", "noise"), segments={"risk": PARTS})


@cache
def of_the_truth() -> Evidence:
    return evidence()


def test_the_better_model_gains_in_every_measure_and_the_worse_one_loses() -> None:
    better, worse = of_the_truth().gain, evidence(BLIND, TRUE).gain
    for name in ("average_precision", "roc_auc", "brier", "log_loss"):
        assert 0 < better[name].low < better[name].value < better[name].high
        assert worse[name].value == pytest.approx(-better[name].value)


def test_a_model_beside_itself_gains_nothing_however_it_is_resampled() -> None:
    gain = evidence(TRUE, replace(TRUE, name="again")).gain
    assert all((each.low, each.value, each.high) == (0, 0, 0) for each in gain.values())


def test_wrongly_declined_are_counted_by_segment_among_the_honest() -> None:
    found = of_the_truth().segments
    assert set(found) == {"risk=high", "risk=low"}
    honest = (np.array(PARTS) == "high") & ~TESTED.label
    assert found["risk=high"].false_positive_rate == (TRUE.probability[honest] >= 0.5).mean()
    assert found["risk=high"].others_false_positive_rate == 0
    assert found["risk=low"].rows == PARTS.count("low")


def test_probabilities_that_are_twice_too_high_show() -> None:
    shouted = replace(TRUE, probability=np.minimum(TRUE.probability * 2, 1))
    assert of_the_truth().calibration["said_to_happened"] == pytest.approx(1, abs=0.1)
    assert evidence(shouted).calibration["said_to_happened"] > 1.7


def test_quality_tells_of_a_feature_that_was_never_known_and_of_one_that_went_away() -> None:
    unknown = TRAINED.values.copy()
    unknown[:, 1] = np.nan
    gone = TESTED.values.copy()
    gone[: len(gone) // 2, 0] = np.nan
    quality = judge(
        replace(TRAINED, values=unknown),
        replace(TESTED, values=gone),
        TRUE,
        BLIND,
        features=("risk", "noise"),
        segments={},
    ).quality
    assert quality["features_never_known"] == 1
    assert quality["missing_shift"] == 1
    assert quality["test_positives"] == TESTED.label.sum()


def test_the_baseline_learns_from_columns_with_unknown_values() -> None:
    holes = TRAINED.values.copy()
    holes[::3, 1] = np.nan
    fitted = LogisticRegression.of(replace(TRAINED, values=holes), ("risk", "noise"))
    assert np.corrcoef(fitted.predict(TESTED), TRUE.probability)[0, 1] > 0.95


def test_a_card_says_what_it_was_made_of_and_how_it_was_judged() -> None:
    model = train(TRAINED, TOY, code_version="c0ffee")
    text = card(Purpose("Toy", "For tests.", "Made up.", ("It is a toy.",)), model, of_the_truth())
    for said in ("# Toy", "c0ffee", model.metadata["data"]["fingerprint"], "over blind", "risk=high", "- It is a toy."):
        assert said in text


@pytest.mark.parametrize("recipe", [FRAUD, CHURN], ids=["fraud", "churn"])
def test_every_feature_of_a_model_speaks_in_words(recipe: Recipe) -> None:
    assert set(recipe.features) <= set(recipe.reasons)
    for feature in recipe.features:
        said = recipe.reasons[feature].say(3.0)
        assert said != recipe.reasons[feature].say(0.0)
        assert "{" not in said
    minor_units = {each.name for each in CATALOG if each.unit == "minor units"}
    assert minor_units.isdisjoint(recipe.features), "amounts of different currencies cannot be compared"
    assert recipe.increasing | recipe.decreasing <= set(recipe.features)
    assert set(recipe.features).isdisjoint({"fraud_score_avg_30d", "fraud_score_max_30d"})
