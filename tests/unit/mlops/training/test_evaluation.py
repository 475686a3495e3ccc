"""Figures are what their definitions say: by hand, and as scikit-learn has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score  # type: ignore[import-untyped]

from mlops.training import evaluation

LABEL = np.array([True, False, True, False])
SCORE = np.array([0.9, 0.8, 0.7, 0.1])


def test_average_precision_by_hand() -> None:
    # Found at rank 1 (precision 1) and rank 3 (precision 2/3).
    assert evaluation.average_precision(LABEL, SCORE) == pytest.approx((1 + 2 / 3) / 2)


def test_auc_by_hand() -> None:
    # Of four pairs, only (0.7, 0.8) is the wrong way round.
    assert evaluation.roc_auc(LABEL, SCORE) == pytest.approx(0.75)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=60))
def test_figures_agree_with_scikit_learn_also_where_scores_tie(rows: list[tuple[bool, int]]) -> None:
    label, score = np.array([r[0] for r in rows]), np.array([r[1] / 10 for r in rows])
    if label.all() or not label.any():
        with pytest.raises(ValueError, match="label"):
            evaluation.roc_auc(label, score)
        return
    assert evaluation.average_precision(label, score) == pytest.approx(average_precision_score(label, score))
    assert evaluation.roc_auc(label, score) == pytest.approx(roc_auc_score(label, score))
    assert evaluation.brier(label, score) == pytest.approx(brier_score_loss(label, score))
    clipped = np.clip(score, 1e-7, 1 - 1e-7)
    assert evaluation.log_loss(label, score) == pytest.approx(log_loss(label, clipped))


def test_a_card_is_as_suspicious_as_its_worst_payment_and_is_not_looked_at_twice() -> None:
    card = np.array([1, 1, 2, 3, 1, 2, 3])
    day = np.array([0, 0, 0, 0, 1, 1, 1])
    label = np.array([False, True, False, True, True, True, False])
    score = np.array([0.1, 0.9, 0.8, 0.2, 0.9, 0.5, 0.4])
    # Day 0: the two highest are cards 1 (fraud) and 2: 1/2. Day 1: card 1 was found; 2 (fraud) and 3: 1/2.
    assert evaluation.card_precision_at(card, day, label, score, k=2) == pytest.approx(0.5)
    # One alert a day: card 1 both times if it had not been found; card 2 on the second day, also a fraud.
    assert evaluation.card_precision_at(card, day, label, score, k=1) == pytest.approx(1.0)


def test_days_with_fewer_cards_than_alerts_still_count_all_alerts() -> None:
    one = np.array([1])
    assert evaluation.card_precision_at(one, one, np.array([True]), np.array([0.5]), k=100) == pytest.approx(0.01)


def test_reliability_puts_a_probability_into_its_band() -> None:
    label = np.array([False, True, True, True])
    rows = evaluation.reliability(label, np.array([0.0, 0.3, 0.49, 1.0]), edges=(0.0, 0.3, 0.5, 1.0))
    assert [(r.low, r.rows, r.happened) for r in rows] == [(0.0, 1, 0.0), (0.3, 2, 1.0), (0.5, 1, 1.0)]
    assert rows[1].said == pytest.approx(0.395)


def test_calibration_error_is_the_distance_of_what_was_said_from_what_happened() -> None:
    label = np.array([False] * 5 + [True] * 5)
    said = np.array([0.1] * 5 + [0.9] * 5)
    assert evaluation.expected_calibration_error(label, said, bins=2) == pytest.approx(0.1)


def test_an_interval_covers_its_value_and_narrows_with_more_cards() -> None:
    def mean_of(cards: int) -> evaluation.Interval:
        values = np.random.default_rng(1).random(cards)
        return evaluation.bootstrap(lambda rows, _: float(values[rows].mean()), np.arange(cards), rounds=200, seed=1)

    few, many = mean_of(20), mean_of(2_000)
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 3


def test_a_card_drawn_twice_is_two_cards() -> None:
    seen = []

    def measure(rows: evaluation.Ints, copies: evaluation.Ints) -> float:
        seen.append((len(np.unique(copies)), len(rows) == len(copies)))
        return 0.0

    evaluation.bootstrap(measure, np.array([5, 5, 6, 7]), rounds=20, seed=1)
    assert set(seen) == {(3, True)}
