"""On the Handbook's real payments a quick model keeps the order of things: bars lower than the full one's."""

from dataclasses import replace
from datetime import date
from types import MappingProxyType

import numpy as np
import pytest

from mlops.training import evaluation
from mlops.training.fraud.features import DAY, Payments
from mlops.training.fraud.handbook import History, tried
from mlops.training.fraud.payments import DATA, day_number, read
from mlops.training.fraud.recipe import PUBLISHED_ONLY, RECIPE
from mlops.training.recipe import Recipe

FIRST, TEST_START, LAST = date(2018, 5, 6), date(2018, 7, 4), date(2018, 7, 10)
"""A validation week, with less history than the model has."""

pytestmark = pytest.mark.skipif(
    not any(DATA.glob("*.parquet")), reason="needs the Fraud Detection Handbook's payments in ../shared/data/fraud"
)


@pytest.fixture(scope="module")
def history() -> History:
    payments = read([DATA])
    day = payments.seconds // DAY
    kept = (day >= day_number(FIRST)) & (day <= day_number(LAST))
    return History.of(Payments(*(getattr(payments, name)[kept] for name in Payments.__slots__)))


def quick(recipe: Recipe) -> Recipe:
    return replace(
        recipe,
        rounds=60,
        params=MappingProxyType({**recipe.params, "learning_rate": 0.12, "monotone_constraints_method": "basic"}),
        calibration_days=10,
    )


def test_the_data_is_the_handbooks(history: History) -> None:
    rows = history.tested(day_number(TEST_START))
    assert (len(rows), int(rows.label.sum())) == (57_182, 416)  # counted by the Handbook's own get_train_test_set


def test_a_quick_model_ranks_and_is_calibrated(history: History) -> None:
    start = day_number(TEST_START)
    outcome = tried(history, start, quick(RECIPE), "test")
    figures, label = outcome.figures, outcome.rows.label
    assert figures.average_precision >= 0.74
    assert figures.roc_auc >= 0.87
    assert figures.card_precision_100 >= 0.30
    assert evaluation.brier(label, outcome.probability) < 0.4 * float(label.mean() * (1 - label.mean()))
    assert evaluation.expected_calibration_error(label, outcome.probability) < 0.002
    worst = outcome.rows.matrix(RECIPE.features)[np.argsort(-outcome.probability)[:20]]
    assert all(reasons and reasons[0].contribution > 0 for reasons in outcome.model.explain(worst))
    published = tried(history, start, quick(PUBLISHED_ONLY), "test").figures
    assert figures.average_precision > published.average_precision + 0.02
