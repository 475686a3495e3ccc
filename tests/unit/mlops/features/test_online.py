"""What the online store holds, and a payment's features from it, whoever was faster."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest

from mlops.features.catalog import VIEW_OF, Entity, names
from mlops.features.facts import Outcome, PaymentFact, entity_keys
from mlops.features.history import feature_rows
from mlops.features.online import (
    NOTHING,
    STORED_FIELDS,
    VALUE_FIELDS,
    Stored,
    advanced,
    fields,
    stored,
    stored_values,
    vector_for,
)
from mlops.features.online_layout import COLUMNS, encode_moment, encode_value
from mlops.features.state import State
from mlops.features.transform import features
from mlops.features.windows import DAY_US, SECOND_US
from tests.fakes.feature_messages import as_published
from tests.unit.mlops.features.histories import START_US, fact, history

Held = dict[tuple[Entity, str], Stored]


def found(held: Held, told: PaymentFact) -> Mapping[Entity, Stored]:
    return {entity: held[entity, key] for entity, key in entity_keys(told).items() if (entity, key) in held}


def advance(held: Held, told: PaymentFact) -> None:
    for entity, key in entity_keys(told).items():
        held[entity, key] = advanced(held.get((entity, key), NOTHING), entity, told)


@pytest.mark.parametrize("seed", range(4))
def test_a_vector_is_the_offline_row_whether_or_not_the_stream_has_the_event(seed: int) -> None:
    held: Held = {}
    states: dict[tuple[Entity, str], State] = {}
    for told in as_published(history(seed, payments=40)):
        rows = {row.entity: row.values for row in feature_rows([told], states)}
        before = vector_for(told, found(held, told))
        advance(held, told)
        after = vector_for(told, found(held, told))
        for entity, row in rows.items():
            assert before[entity].values == after[entity].values == row


def test_what_is_written_is_read_as_state_and_as_values() -> None:
    held = advanced(NOTHING, Entity.CUSTOMER, fact(1))
    assert held.state is not None
    assert held.moment_us is not None
    written = fields(Entity.CUSTOMER, held.state, held.moment_us, "topic/0@1")
    hash_of = dict(zip(written[::2], written[1::2], strict=True))
    assert stored([hash_of.get(each) for each in STORED_FIELDS[Entity.CUSTOMER]]) == replace(held, revision="topic/0@1")
    view = VIEW_OF[Entity.CUSTOMER]
    read = stored_values(view, [hash_of.get(each) for each in VALUE_FIELDS[view.name]], START_US + 5)
    assert read.values == features(held.state, START_US)
    assert (read.age_us, read.stale, read.missing) == (5, False, False)


def test_an_entity_that_was_never_seen_is_missing_and_has_the_values_of_its_first_event() -> None:
    vector = vector_for(fact(1, card=None), {})
    assert vector[Entity.CUSTOMER].missing
    assert not vector[Entity.CUSTOMER].stale
    assert vector[Entity.CUSTOMER].values["total_payments_30d"] == 1
    assert vector[Entity.CARD].missing
    assert vector[Entity.CARD].values == dict.fromkeys(names(Entity.CARD))


def test_beyond_its_ttl_what_is_stored_is_told_to_be_stale() -> None:
    held = {entity: advanced(NOTHING, entity, fact(1)) for entity in Entity}
    ttl_us = 97 * DAY_US
    fresh = vector_for(fact(2, at_us=START_US + ttl_us), held)[Entity.CUSTOMER]
    assert (fresh.age_us, fresh.stale) == (ttl_us, False)
    assert fresh.values["days_since_first_payment"] == 97
    stale = vector_for(fact(2, at_us=START_US + ttl_us + 1), held)[Entity.CUSTOMER]
    assert (stale.age_us, stale.stale, stale.missing) == (ttl_us + 1, True, False)
    assert stale.values["days_since_first_payment"] == pytest.approx(97)
    view = VIEW_OF[Entity.CUSTOMER]
    reply = [encode_value(dtype, 1) for _, _, dtype in COLUMNS[view.name]]
    read = stored_values(view, [*reply, encode_moment(START_US)], START_US + ttl_us + 1)
    assert read.stale
    assert set(read.values.values()) == {None}


def test_a_fact_that_tells_nothing_new_leaves_what_is_stored() -> None:
    held = advanced(NOTHING, Entity.CUSTOMER, fact(1))
    assert advanced(held, Entity.CUSTOMER, fact(1)) is held


def test_a_date_of_a_time_to_come_does_not_move_the_moment_of_values_there() -> None:
    wrong = fact(1, at_us=START_US + 9_000 * DAY_US, arrived_us=START_US + SECOND_US)
    assert advanced(NOTHING, Entity.CUSTOMER, wrong).moment_us == START_US + SECOND_US


def test_a_state_of_another_version_is_none() -> None:
    assert stored([b"\xff\x01rest", b"topic/0@1", None]) == Stored(None, "topic/0@1", None)


@pytest.mark.parametrize("seed", range(5))
def test_scores_may_come_far_ahead_of_payments_or_far_behind(seed: int) -> None:
    """As they do while a store is built anew: two streams are read from their beginning, at whatever pace."""
    facts = list(as_published(history(seed, payments=60, people=3)))
    scores = [told for told in facts if told.fraud_score is not None]
    payments = [told for told in facts if told.fraud_score is None]
    assert any(told.outcome is Outcome.SUCCEEDED for told in payments)
    expected = ends(facts)
    rng = Random(seed)  # noqa: S311
    mixed = sorted(range(len(facts)), key=lambda _: rng.random())
    picks = sorted(mixed[: len(scores)])
    left, right = iter(scores), iter(payments)
    shuffled = [next(left if place in picks else right) for place in range(len(facts))]
    for order in ([*scores, *payments], [*payments, *scores], shuffled):
        assert ends(order) == expected


def test_a_score_told_twice_about_the_edge_of_memory_is_the_same_in_any_order() -> None:
    """Where the first telling was forgotten, or came too late to be heard, the second must count all the same."""
    payments = [fact(number, at_us=START_US + number * 50 * DAY_US) for number in range(3)]
    edge_us = payments[-1].occurred_at_us - 97 * DAY_US
    scores = [
        fact(90 + late, outcome=Outcome.OTHER, payment="stripe:pi_1", fraud_score=0.5, at_us=edge_us + late * SECOND_US)
        for late in (-1, 1)
    ]
    assert ends([*scores, *payments]) == ends([*payments, *scores]) == ends([scores[0], *payments, scores[1]])


def ends(facts: Sequence[PaymentFact]) -> Held:
    held: Held = {}
    for told in facts:
        advance(held, told)
    return held
