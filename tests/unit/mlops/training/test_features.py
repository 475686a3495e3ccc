"""The Handbook's features: as pandas computes them, and blind to what is not known yet."""

import numpy as np
import pandas as pd
import pytest

from mlops.training.fraud import features
from mlops.training.fraud.features import DAY, LABEL_DELAY_DAYS, Payments
from mlops.training.fraud.recipe import RECIPE
from tests.unit.mlops.training.histories import payments, scrambled_after, upto

DELAY = LABEL_DELAY_DAYS * DAY
HISTORY = payments()
COLUMNS = features.features(HISTORY)
MIDDLE = 40 * DAY + 12_345


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "at": pd.to_datetime(HISTORY.seconds, unit="s"),
            "customer": HISTORY.customer,
            "terminal": HISTORY.terminal,
            "amount": HISTORY.amount_cents / 100,
            "fraud": HISTORY.fraud.astype(float),
        }
    )


@pytest.mark.parametrize("days", [1, 7, 30])
def test_customer_windows_are_the_handbooks(frame: pd.DataFrame, days: int) -> None:
    for customer in range(5):
        here = frame[frame.customer == customer]
        window = here.set_index("at").amount.rolling(f"{days}D")
        count = COLUMNS[f"customer_id_nb_tx_{days}day_window"][here.index]
        assert count == pytest.approx(window.count().to_numpy())
        mean = COLUMNS[f"customer_id_avg_amount_{days}day_window"][here.index]
        assert mean == pytest.approx((window.sum() / window.count()).to_numpy())


@pytest.mark.parametrize("days", [1, 7, 30])
def test_terminal_risk_is_the_handbooks(frame: pd.DataFrame, days: int) -> None:
    for terminal in range(5):
        here = frame[frame.terminal == terminal]
        fraud = here.set_index("at").fraud
        delay, both = fraud.rolling("7D"), fraud.rolling(f"{7 + days}D")
        count = both.count() - delay.count()
        risk = ((both.sum() - delay.sum()) / count).fillna(0)
        assert COLUMNS[f"terminal_id_nb_tx_{days}day_window"][here.index] == pytest.approx(count.to_numpy())
        assert COLUMNS[f"terminal_id_risk_{days}day_window"][here.index] == pytest.approx(risk.to_numpy())


def test_nothing_later_and_no_label_within_the_delay_changes_a_feature() -> None:
    early = HISTORY.seconds <= MIDDLE
    changed = features.features(scrambled_after(HISTORY, MIDDLE, DELAY))
    for name, column in COLUMNS.items():
        np.testing.assert_array_equal(changed[name][early], column[early], err_msg=name)


def test_a_history_cut_short_has_the_same_features() -> None:
    rows = int((HISTORY.seconds <= MIDDLE).sum())
    for name, column in features.features(upto(HISTORY, rows)).items():
        np.testing.assert_array_equal(column, COLUMNS[name][:rows], err_msg=name)


def test_the_leak_test_would_see_labels_that_come_a_day_too_early() -> None:
    early = HISTORY.seconds <= MIDDLE
    changed = features.features(scrambled_after(HISTORY, MIDDLE, DELAY + DAY))
    differing = {
        name
        for name, column in COLUMNS.items()
        if not np.array_equal(changed[name][early], column[early], equal_nan=True)
    }
    assert {"terminal_id_risk_1day_window", "terminal_known_run", "terminal_own_risk_28d"} <= differing
    assert "amount_to_usual" not in differing


def test_a_label_counts_from_the_second_it_is_a_week_old() -> None:
    history = one_terminal([(0, 1_000, True), (DELAY - 1, 1_000, False), (DELAY, 1_000, False)])
    assert features.features(history)["terminal_id_risk_1day_window"].tolist() == [0.0, 0.0, 1.0]
    assert features.features(history)["terminal_known_run"].tolist() == [0.0, 0.0, 1.0]


def test_a_run_of_frauds_ends_with_a_payment_known_to_be_honest() -> None:
    start = [(i * DAY, 1_000, fraud) for i, fraud in enumerate([False, True, True, False])]
    history = one_terminal([*start, *((i * DAY, 1_000, False) for i in (7, 8, 9, 10))])
    columns = features.features(history)
    assert columns["terminal_known_run"][-4:].tolist() == [0.0, 1.0, 2.0, 0.0]
    assert columns["terminal_run_age_days"][-4:].tolist() == pytest.approx([np.nan, 7.0, 8.0, np.nan], nan_ok=True)
    assert columns["terminal_days_since_known_honest"][-1] == pytest.approx(7.0)


def test_an_amount_is_judged_by_the_customers_earlier_ordinary_ones() -> None:
    usual = [(i * DAY, 1_000, False) for i in range(6)]
    history = one_terminal([*usual, (6 * DAY, 9_000, True), (7 * DAY, 1_000, False)])
    columns = features.features(history)
    assert columns["amount_to_usual"][6] == pytest.approx(9.0)
    assert columns["customer_unusual_7d"][[6, 7]].tolist() == [0.0, 1.0]
    assert columns["customer_usual_amount"][7] == pytest.approx(10.0)  # the outlier did not move it
    assert np.isnan(columns["amount_to_usual"][4])  # four earlier payments are too few


def test_the_recipe_asks_for_features_that_exist() -> None:
    assert set(RECIPE.features) <= set(COLUMNS)
    assert set(RECIPE.increasing) <= set(RECIPE.features)
    assert set(features.PUBLISHED) <= set(COLUMNS)
    assert len(features.PUBLISHED) == 15


def one_terminal(rows: list[tuple[int, int, bool]]) -> Payments:
    """Return payments of one customer at one terminal: seconds, cents, fraud."""
    seconds, cents, fraud = (np.array(column) for column in zip(*rows, strict=True))
    zero = np.zeros(len(seconds), dtype=np.int64)
    return Payments(seconds.astype(np.int64), zero, zero, zero, cents.astype(np.int64), fraud.astype(bool))
