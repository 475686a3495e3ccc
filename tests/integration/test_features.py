"""The feature stream between a real broker and a real Valkey: no skew, and nothing lost whatever dies."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact
from mlops.features.history import feature_rows
from mlops.features.online import vector_for
from mlops.features.state import State
from mlops.features.transform import Values
from services.features.handler import EntityKey, touched
from stack.engines.valkey import redis_url
from stack.home import Home
from stack.program import Context
from tests.engines import STOP_SECONDS, Engines, stack_command, start_more
from tests.fakes.feature_messages import as_published
from tests.integration.features_world import SECONDS, FeatureWorld, arrived_now, wait_for
from tests.unit.mlops.features.histories import fact as example
from tests.unit.mlops.features.histories import history

# On a busy machine a process takes twenty seconds to start, and a killed one's partitions wait for six more.
pytestmark = pytest.mark.timeout(400)

Rows = Mapping[Entity, Values]


@dataclass(frozen=True)
class OwnValkey:
    """A Valkey of this module's own, which may be killed."""

    home: Path

    @property
    def url(self) -> str:
        place = Home(self.home)
        return redis_url(Context(place, place.read_state().ports, place.secrets([])))

    def kill(self) -> None:
        os.kill(Home(self.home).read_state().processes["valkey"].pid, signal.SIGKILL)

    def start(self) -> None:
        start_more(self.home, "valkey")


@pytest.fixture
def world(engines: Engines, valkey: str, unique_name: Callable[[str], str], tmp_path: Path) -> Iterator[FeatureWorld]:
    made = FeatureWorld(engines.kafka_bootstrap_servers, valkey, unique_name("features"), tmp_path)
    made.create_topics(partitions=3)
    yield made
    made.close()


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnValkey]:
    """A Valkey that may be killed."""
    home = tmp_path_factory.mktemp("valkey")
    start_more(home, "valkey")
    yield OwnValkey(home)
    stack_command(home, "down", timeout=STOP_SECONDS)


@pytest.fixture
def fragile(
    engines: Engines, own_valkey: OwnValkey, unique_name: Callable[[str], str], tmp_path: Path
) -> Iterator[FeatureWorld]:
    """The same on a Valkey that may be killed."""
    made = FeatureWorld(engines.kafka_bootstrap_servers, own_valkey.url, unique_name("features"), tmp_path)
    made.create_topics(partitions=3)
    yield made
    made.close()


def offline(facts: Sequence[PaymentFact]) -> Sequence[Rows]:
    """What the batch makes of the same facts in the same order."""
    states: dict[tuple[Entity, str], State] = {}
    return [{row.entity: row.values for row in feature_rows([fact], states)} for fact in facts]


def expected_states(facts: Sequence[PaymentFact]) -> Mapping[EntityKey, State]:
    """Where the history ends."""
    states: dict[EntityKey, State] = {}
    deque(feature_rows(facts, states), maxlen=0)
    return states


def assert_nothing_lost(world: FeatureWorld, facts: Sequence[PaymentFact]) -> None:
    """Each entity's state is that of the history: no fact missing, none counted twice."""
    world.wait_until_level()
    expected = expected_states(facts)
    held = world.states(list(expected))
    assert {key: each.state for key, each in held.items()} == expected


def test_online_values_at_every_event_are_the_offline_rows(world: FeatureWorld) -> None:
    """Before the stream has an event and after it: serving need not know which. Duplicates and late events included."""
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


def test_feast_reads_the_offline_row_of_an_event_that_is_not_late(world: FeatureWorld) -> None:
    facts = list(as_published(history(seed=12, payments=30)))
    world.start().wait_until_ready()
    newest: dict[EntityKey, int] = {}
    compared = 0
    for fact, rows in zip(facts, offline(facts), strict=True):
        world.send([fact])
        world.wait_until_level()
        for entity, key in touched(fact):
            if fact.occurred_at_us >= newest.get((entity, key), 0):
                newest[entity, key] = fact.occurred_at_us
                assert world.feast_values(entity, key) == rows[entity]
                compared += 1
    assert compared > 100


def test_features_can_be_read_within_a_second_of_their_event(world: FeatureWorld) -> None:
    process = world.start()
    process.wait_until_ready()
    took = []
    for number in range(50):
        now_us = arrived_now()
        began = time.perf_counter()
        world.send([example(number, at_us=now_us, arrived_us=now_us, customer=f"cus_{number}")])
        world.wait_until_level()
        took.append(time.perf_counter() - began)
    assert max(took) < 1.0
    assert 'tidegate_feature_freshness_seconds_bucket{le="1.0"' in process.metrics()
    print(f"median {1000 * sorted(took)[25]:.1f} ms, worst {1000 * max(took):.1f} ms")  # noqa: T201 - the figure


def test_a_process_killed_again_and_again_counts_every_event_once(world: FeatureWorld) -> None:
    facts = list(as_published(history(seed=13, payments=1500, people=40)))
    size = len(facts) // 4
    for number in range(4):
        process = world.start(TIDEGATE_FEATURES_BATCH_RECORDS="7")
        process.wait_until_ready()
        world.send(facts[number * size : (number + 1) * size if number < 3 else None])
        time.sleep(0.05)
        if number < 3:
            process.kill()
    assert_nothing_lost(world, facts)


def test_a_valkey_killed_in_the_middle_comes_back_and_nothing_is_lost(
    fragile: FeatureWorld, own_valkey: OwnValkey
) -> None:
    facts = list(as_published(history(seed=14, payments=600, people=30)))
    half = len(facts) // 2
    process = fragile.start(TIDEGATE_FEATURES_BATCH_RECORDS="5")
    process.wait_until_ready()
    fragile.send(facts[:half])
    own_valkey.kill()
    process.wait_until_told("Valkey is unavailable")
    fragile.send(facts[half:])
    own_valkey.start()
    assert_nothing_lost(fragile, facts)
    process.wait_until_ready()


def test_a_valkey_that_lost_everything_is_filled_anew_from_the_topics(
    fragile: FeatureWorld, own_valkey: OwnValkey
) -> None:
    facts = list(as_published(history(seed=15, payments=300, people=30)))
    process = fragile.start()
    process.wait_until_ready()
    fragile.send(facts)
    assert_nothing_lost(fragile, facts)
    with Redis.from_url(own_valkey.url) as client:
        client.flushall()
    assert_nothing_lost(fragile, facts)
    wait_for(lambda: fragile.store.rebuilding() == frozenset(), SECONDS, "the mark for readers to go")
    process.wait_until_ready()


def test_a_valkey_that_comes_back_older_takes_the_stream_back_with_it(
    fragile: FeatureWorld, own_valkey: OwnValkey
) -> None:
    """As after a power cut, which may take the last second of the file of changes."""
    facts = list(as_published(history(seed=16, payments=300, people=30)))
    half = len(facts) // 2
    fragile.start().wait_until_ready()
    fragile.send(facts[:half])
    fragile.wait_until_level()
    with Redis.from_url(own_valkey.url) as client:
        older = {key: client.dump(key) for key in client.scan_iter()}
        fragile.send(facts[half:])
        fragile.wait_until_level()
        restored = client.pipeline()
        restored.flushall()
        for key, value in older.items():
            restored.restore(key, 0, value)
        restored.execute()
    assert_nothing_lost(fragile, facts)


def test_two_processes_share_the_work_and_one_takes_over_when_the_other_dies(world: FeatureWorld) -> None:
    facts = list(as_published(history(seed=17, payments=900, people=40)))
    third = len(facts) // 3
    first = world.start("features-1", TIDEGATE_FEATURES_BATCH_RECORDS="20")
    first.wait_until_ready()
    world.send(facts[:third])
    second = world.start("features-2", TIDEGATE_FEATURES_BATCH_RECORDS="20")
    world.send(facts[third : 2 * third])
    second.wait_until_ready()
    wait_for(lambda: "partitions.assigned" in second.log.read_text(), SECONDS, "the second to have partitions")
    world.wait_until_level()
    first.kill()
    world.send(facts[2 * third :])
    assert_nothing_lost(world, facts)
    assert second.stop() == 0


def test_poison_is_passed_by_and_a_flood_of_it_stops_the_stream(world: FeatureWorld, expected_errors: set[str]) -> None:
    expected_errors |= {"message.poison", "flood.stopped"}
    facts = [example(number, customer=f"cus_{number}") for number in range(5)]
    process = world.start(TIDEGATE_FEATURES_FLOOD_FAILURES="10", TIDEGATE_FEATURES_FLOOD_WINDOW="1000")
    process.wait_until_ready()
    world.send(facts[:3])
    world.send_poison("merchant_lumen")
    world.send_poison("merchant_lumen", None)
    world.send(facts[3:])
    assert_nothing_lost(world, facts)
    assert 'outcome="poison"' in process.metrics()
    for _ in range(50):
        world.send_poison("merchant_lumen")
    process.wait_until_told("flood: more than 10 of the last 1000 messages")
    assert not world.is_level()
    assert process.stop() == 0
