"""One row reaches the leaves that LightGBM's own prediction says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inference.adapters.single_row import SingleRow
from tests.fakes.models import FEATURES, trained

BOOSTER = trained(trees=30).booster
SINGLE = SingleRow(BOOSTER)
VALUES = st.floats(width=64) | st.sampled_from([0.0, -0.0, 50.0, float("nan"), float("inf"), float("-inf")])


@given(row=st.lists(VALUES, min_size=len(FEATURES), max_size=len(FEATURES)))
def test_any_row_reaches_the_leaves_that_a_table_of_it_does(row: list[float]) -> None:
    table = np.array([row])
    assert SINGLE.leaves(table[0]).tolist() == np.ravel(BOOSTER.predict(table, pred_leaf=True)).tolist()


def test_a_column_of_a_wider_table_is_no_trap() -> None:
    table = np.random.default_rng(3).normal(50, 30, size=(len(FEATURES), 4))
    row = table[:, 1]
    assert not row.flags.c_contiguous
    assert SINGLE.leaves(row).tolist() == np.ravel(BOOSTER.predict(row[None, :], pred_leaf=True)).tolist()


def test_a_row_of_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="values for a model of"):
        SINGLE.leaves(np.zeros(len(FEATURES) - 1))
