"""A state's journey through bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.features.catalog import Entity
from mlops.features.facts import Outcome, PaymentFact
from mlops.features.state import MOST_ATTEMPTS, EventState, MerchantState, StateFormatError, decode, empty, encode
from mlops.features.transform import apply
from tests.unit.mlops.features.histories import START_US, fact, history

# Anything a contract lets through, in any order.
FACTS = st.builds(
    fact,
    st.integers(0, 30),
    at_us=st.integers(-(10**15), 2 * 10**17),
    arrived_us=st.integers(-(10**15), 2 * 10**17),
    outcome=st.sampled_from(Outcome),
    payment=st.sampled_from(("stripe:pi_1", "stripe:pi_2", None)),
    attempt=st.sampled_from(("", "ch_1", None)),
    amount_cents=st.integers(0, (1 << 63) - 1),
    currency=st.from_regex("[A-Z]{3}", fullmatch=True),
    customer=st.one_of(st.none(), st.text(max_size=5)),
    card=st.one_of(st.none(), st.text(max_size=5)),
    decline_class=st.one_of(st.none(), st.integers(1, 10)),
    fraud_score=st.one_of(st.none(), st.floats(0, 1)),
)


@given(st.sampled_from(Entity), st.lists(FACTS, max_size=30))
@settings(max_examples=200)
def test_bytes_bring_back_the_state(entity: Entity, facts: list[PaymentFact]) -> None:
    state = empty(entity)
    for each in facts:
        state = apply(state, each)
        assert decode(encode(state)) == state


@pytest.mark.parametrize("entity", Entity)
def test_the_same_history_gives_the_same_bytes(entity: Entity) -> None:
    encoded = []
    for _ in range(2):
        state = empty(entity)
        for each in history(seed=2):
            state = apply(state, each)
        encoded.append(encode(state))
    assert encoded[0] == encoded[1]


def test_an_empty_state_is_small_and_a_full_one_bounded() -> None:
    assert len(encode(empty(Entity.CUSTOMER))) < 150
    state = empty(Entity.CUSTOMER)
    for each in range(2 * MOST_ATTEMPTS):
        state = apply(state, fact(each, at_us=START_US + each, fraud_score=0.5))
    assert len(encode(state)) < 34_000


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(StateFormatError):
        decode(data)


@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_state_that_is_cut_off_or_too_long_is_refused(entity: Entity, cut: int) -> None:
    data = encode(apply(empty(entity), fact(fraud_score=0.1)))
    with pytest.raises(StateFormatError):
        decode(data[:-cut])
    with pytest.raises(StateFormatError):
        decode(data + bytes(cut))


def test_a_later_version_is_refused() -> None:
    data = encode(empty(Entity.CARD))
    with pytest.raises(StateFormatError, match="version 2"):
        decode(b"\2" + data[1:])


def test_columns_that_do_not_fit_together_are_refused() -> None:
    state = apply(empty(Entity.CARD), fact(fraud_score=0.1))
    assert isinstance(state, EventState)
    with pytest.raises(StateFormatError, match="lengths"):
        decode(encode(state._replace(outcomes=b"")))
    merchant = apply(empty(Entity.MERCHANT), fact(outcome=Outcome.FAILED))
    assert isinstance(merchant, MerchantState)
    with pytest.raises(StateFormatError, match="lengths"):
        decode(encode(merchant._replace(open_own=b"")))
