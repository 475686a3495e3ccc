"""The feature stream between a real broker and a real Valkey: no skew, and nothing lost whatever dies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact
from mlops.features.history import feature_rows
from mlops.features.online import vector_for
from mlops.features.state import State
from mlops.features.transform import Values
from tests.engines import Engines
from tests.fakes.feature_messages import as_published
from tests.integration.features_world import FeatureWorld
from tests.unit.mlops.features.histories import history

Rows = Mapping[Entity, Values]


@pytest.fixture
def world(engines: Engines, valkey: str, unique_name: Callable[[str], str], tmp_path: Path) -> Iterator[FeatureWorld]:
    made = FeatureWorld(engines.kafka_bootstrap_servers, valkey, unique_name("features"), tmp_path)
    made.create_topics(partitions=3)
    yield made
    made.close()


def offline(facts: Sequence[PaymentFact]) -> Sequence[Rows]:
    """What the batch makes of the same facts in the same order."""
    states: dict[tuple[Entity, str], State] = {}
    return [{row.entity: row.values for row in feature_rows([fact], states)} for fact in facts]


def test_online_values_at_every_event_are_the_offline_rows(world: FeatureWorld) -> None:
    facts = list(as_published(history(seed=11, payments=40)))
    world.start().wait_until_ready()
    for fact, rows in zip(facts, offline(facts), strict=True):
        before = vector_for(fact, world.stored_for(fact))
        world.send([fact])
        world.wait_until_level()
        after = vector_for(fact, world.stored_for(fact))
        for entity, row in rows.items():
            assert before[entity].values == row
            assert after[entity].values == row
