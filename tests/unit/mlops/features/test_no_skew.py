"""Online values at every event are the offline rows."""

from collections import defaultdict
from random import Random

import pytest

from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact, entity_keys
from mlops.features.history import FeatureRow, feature_rows
from mlops.features.state import State, decode, empty, encode
from mlops.features.transform import Values, apply, features
from tests.unit.mlops.features.histories import history

Store = dict[tuple[Entity, str], bytes]
Online = dict[tuple[str, Entity], list[Values]]
SEEDS = range(8)


def online(seed: int) -> Online:
    """As a service has it: batches of random size, bytes in a store between them, some batches lost before a write."""
    rng = Random(seed)  # noqa: S311
    store: Store = {}
    answers: Online = defaultdict(list)
    left = list(history(seed))
    while left:
        batch = left[: rng.randint(1, 20)]
        del left[: len(batch)]
        if rng.random() < 0.3:
            run(dict(store), batch)
        for each, entity, values in run(store, batch):
            answers[each.event_id, entity].append(values)
        if rng.random() < 0.3:
            # Delivered again after the write: nothing is counted twice.
            before = dict(store)
            run(store, batch)
            assert store == before
    return answers


def run(store: Store, batch: list[PaymentFact]) -> list[tuple[PaymentFact, Entity, Values]]:
    held: dict[tuple[Entity, str], State] = {}
    answers = []
    for each in batch:
        for place in entity_keys(each).items():
            if place not in held:
                held[place] = decode(store[place]) if place in store else empty(place[0])
            held[place] = apply(held[place], each)
            answers.append((each, place[0], features(held[place], each.occurred_at_us)))
    store.update({place: encode(state) for place, state in held.items()})
    return answers


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_read_online_at_an_event_is_its_offline_row(seed: int) -> None:
    rows: Online = defaultdict(list)
    for row in feature_rows(history(seed), {}):
        rows[row.event_id, row.entity].append(row.values)
    assert len(rows) > 100
    assert online(seed) == rows


@pytest.mark.parametrize("seed", SEEDS)
def test_a_history_in_two_parts_is_the_history_in_one(seed: int) -> None:
    facts = history(seed)
    states: dict[tuple[Entity, str], State] = {}
    parts = [*feature_rows(facts[:50], states), *feature_rows(facts[50:], states)]
    assert parts == list(feature_rows(facts, {}))


def test_rows_say_of_whom_and_when() -> None:
    facts = history(1)
    rows: list[FeatureRow] = list(feature_rows(facts, {}))
    told = [(each, entity, key) for each in facts for entity, key in entity_keys(each).items()]
    assert [(row.event_id, row.entity, row.key, row.event_us, row.created_us) for row in rows] == [
        (each.event_id, entity, key, each.occurred_at_us, each.arrived_at_us) for each, entity, key in told
    ]
