"""What counts as absent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.normalizer.nulls import present


@pytest.mark.parametrize("text", ["", " ", "\t\n", "null", "NULL", "Null", "None", "none", " null ", "NONE"])
def test_a_word_for_nothing_is_absent(text: str) -> None:
    assert present(text) is None


@pytest.mark.parametrize(("text", "kept"), [("cus_1", "cus_1"), (" cus_1 ", "cus_1"), ("0", "0"), ("nulls", "nulls")])
def test_a_value_is_kept_without_the_space_around_it(text: str, kept: str) -> None:
    assert present(text) == kept


@given(st.text())
def test_what_is_kept_is_kept_again(text: str) -> None:
    kept = present(text)
    assert kept is None or present(kept) == kept
