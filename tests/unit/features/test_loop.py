"""The loop on a stream and a store in memory: each event counts once, whatever happens to either."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact, entity_keys
from mlops.features.online import Stored, advanced
from mlops.features.state import State
from services.features.decoding import Decoder
from services.features.handler import EntityKey, Partition, touched
from services.features.loop import FloodError, Loop
from services.features.sources import TOPICS
from services.runtime.clock import FrozenClock
from services.runtime.consumer import Record
from services.runtime.errors import Position
from services.runtime.flood import FloodLimit
from services.runtime.readiness import Readiness
from services.runtime.serde import TopicSerde
from tests.fakes.feature_messages import as_published, message
from tests.fakes.feature_store import Held, MemoryFeatureStore
from tests.fakes.feature_stream import MemoryStream
from tests.fakes.schema_ids import FixedSchemaIds
from tests.unit.mlops.features.histories import fact, history

IDS = FixedSchemaIds()
EVENTS = TopicSerde(TOPICS.normalized, UnifiedPaymentEvent, IDS)
DECISIONS = TopicSerde(TOPICS.decisions, PaymentDecision, IDS)
PARTITIONS = 2


class Turns(threading.Event):
    """Told to stop after so many looks at it; a wait takes no time, and lets something happen."""

    def __init__(self, turns: int, happens: Mapping[int, Callable[[], None]] | None = None) -> None:
        super().__init__()
        self._left = turns
        self._turn = 0
        self._happens = happens or {}

    def is_set(self) -> bool:
        self._turn += 1
        if self._turn in self._happens:
            self._happens[self._turn]()
        return super().is_set() or self._turn > self._left

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def records_of(facts: Sequence[PaymentFact], poison_after: int | None = None) -> Mapping[Partition, Sequence[Record]]:
    found: dict[Partition, list[Record]] = {
        (topic, number): [] for topic in (TOPICS.normalized, TOPICS.decisions) for number in range(PARTITIONS)
    }

    def put(topic: str, key: str, value: bytes) -> None:
        number = sum(key.encode()) % PARTITIONS
        into = found[topic, number]
        into.append(Record(Position(topic, number, len(into)), key.encode(), value, {}))

    for number, told in enumerate(facts):
        stated = message(told)
        if isinstance(stated, PaymentDecision):
            put(TOPICS.decisions, told.payment_id, DECISIONS.encode(stated))
        else:
            put(TOPICS.normalized, told.merchant_id, EVENTS.encode(stated))
        if number == poison_after:
            put(TOPICS.normalized, told.merchant_id, b"no message")
    return found


class World:
    def __init__(self, facts: Sequence[PaymentFact] = (), poison_after: int | None = None) -> None:
        self.store = MemoryFeatureStore()
        self.stream = MemoryStream(records_of(facts, poison_after))
        self.clock = FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))
        self.readiness = Readiness(self.clock)
        self.facts = facts

    def run(
        self, turns: int = 400, happens: Mapping[int, Callable[[], None]] | None = None, flood: FloodLimit | None = None
    ) -> None:
        """As one process does, from its start to its end."""
        stopping = Turns(turns, happens)
        limit = flood or FloodLimit(5, 100)
        loop = Loop(TOPICS.group, self.store, limit, self.clock, self.readiness, stopping)
        self.stream.take_back(list(self.stream.records))
        loop.run(self.stream, Decoder(TOPICS, IDS))

    def states(self) -> Mapping[EntityKey, State | None]:
        return {key: held.state for key, held in self.store.held.entities.items()}

    def is_level(self) -> bool:
        return all(self.store.held.offsets.get(at, 0) == len(each) for at, each in self.stream.records.items())


def partition_by_partition(world: World) -> Mapping[EntityKey, State | None]:
    """What the records make of entities when nothing goes wrong. Facts of two topics commute."""
    held: dict[EntityKey, Stored] = {}
    for told in world.facts:
        for key in touched(told):
            held[key] = advanced(held.get(key, Stored()), key[0], told)
    return {key: each.state for key, each in held.items()}


@pytest.fixture
def world() -> World:
    return World(list(as_published(history(seed=5, payments=40))))


def test_everything_is_applied_once_and_the_group_is_told(world: World) -> None:
    world.run(happens={turn: lambda: tick(world) for turn in range(380, 400)})
    assert world.is_level()
    assert world.states() == partition_by_partition(world)
    assert {at: offset for at, offset in world.stream.mirrored.items() if offset} == world.store.held.offsets
    assert world.readiness.missing is None


def tick(world: World) -> None:
    """Let it be time for what is done each second."""
    world.clock.advance(timedelta(seconds=2))


def test_a_process_goes_on_where_the_last_one_was_cut_off(world: World) -> None:
    for turns in (3, 5, 7, 400):
        world.run(turns)
    assert world.is_level()
    assert world.states() == partition_by_partition(world)


def test_a_write_whose_answer_is_lost_is_not_applied_twice(world: World) -> None:
    world.store.answers_lost = 3
    world.run()
    assert world.is_level()
    assert world.states() == partition_by_partition(world)


def test_a_store_that_comes_back_older_is_brought_up_to_date(world: World) -> None:
    kept: list[object] = []
    world.run(
        happens={
            8: lambda: kept.append(world.store.snapshot()),
            60: lambda: setattr(world.store, "held", kept.pop()),
            61: lambda: tick(world),
        }
    )
    assert world.is_level()
    assert world.states() == partition_by_partition(world)


def test_a_store_that_lost_all_is_built_anew_even_when_no_message_comes_and_readers_are_told() -> None:
    world = World(list(as_published(history(seed=5, payments=40))))
    world.run()
    before = world.states()
    told: list[frozenset[Partition]] = []
    world.run(
        happens={
            100: lambda: setattr(world.store, "held", Held()),
            101: lambda: tick(world),
            104: lambda: told.append(world.store.rebuilding()),
        }
    )
    assert told[0]
    assert world.states() == before
    assert world.store.rebuilding() == frozenset()


def test_what_is_built_anew_stays_told_when_the_process_dies_and_the_next_one_ends_it(world: World) -> None:
    world.run(turns=2)
    assert world.store.rebuilding()
    world.run()
    assert world.store.rebuilding() == frozenset()


def test_readers_are_told_of_partitions_without_a_message_too_until_their_end_is_known() -> None:
    world = World([fact(1)])
    world.stream.ends_withheld = True
    told: list[frozenset[Partition]] = []
    world.run(
        turns=40,
        happens={
            5: lambda: tick(world),
            10: lambda: told.append(world.store.rebuilding()),
            11: lambda: setattr(world.stream, "ends_withheld", False),
        },
    )
    assert told == [frozenset(world.stream.records)]
    assert world.store.rebuilding() == frozenset()


def test_while_the_store_is_away_nothing_is_lost_and_readiness_says_why(world: World) -> None:
    said: list[str | None] = []
    world.run(
        happens={
            5: lambda: setattr(world.store, "away", True),
            20: lambda: said.append(world.readiness.missing),
            30: lambda: setattr(world.store, "away", False),
            390: lambda: tick(world),
        }
    )
    assert said == ["memory is unavailable: away"]
    assert world.readiness.missing is None
    assert world.states() == partition_by_partition(world)


def test_while_the_store_is_full_nothing_is_lost_and_readiness_says_why(world: World) -> None:
    said: list[str | None] = []
    world.run(
        happens={
            5: lambda: setattr(world.store, "full", True),
            20: lambda: said.append(world.readiness.missing),
            30: lambda: setattr(world.store, "full", False),
        }
    )
    assert said == ["memory is unavailable: full"]
    assert world.states() == partition_by_partition(world)


def test_another_partitions_write_on_the_same_customer_is_not_lost() -> None:
    scored = replace(fact(1), fraud_score=0.5)
    world = World(list(as_published([scored, fact(2)])))
    interloper = World([fact(9)])
    read = world.store.read
    raced: list[int] = []

    def read_late(keys: Sequence[EntityKey]) -> Sequence[Stored]:
        found = read(keys)
        if keys and not raced:
            raced.append(1)
            for key in touched(interloper.facts[0]):
                held = world.store.held.entities.get(key, Stored())
                new = advanced(held, key[0], interloper.facts[0])
                world.store.held.entities[key] = replace(new, revision="another@1")
        return found

    world.store.read = read_late  # type: ignore[method-assign]
    world.run(turns=20)
    (customer,) = (key for key in entity_keys(scored).items() if key[0] is Entity.CUSTOMER)
    state = world.states()[customer]
    assert state is not None
    assert len(state.times) == 3  # type: ignore[union-attr]
    assert len(state.scores.times) == 1  # type: ignore[union-attr]


def test_poison_is_passed_by() -> None:
    world = World(list(as_published(history(seed=2, payments=10))), poison_after=3)
    world.run()
    assert world.is_level()
    assert world.states() == partition_by_partition(world)


def test_a_flood_of_poison_stops_the_stream_before_any_of_it_is_passed() -> None:
    world = World([fact(1)])
    at = (TOPICS.normalized, sum(b"merchant_lumen") % PARTITIONS)
    into = world.stream.records[at]
    into += [Record(Position(*at, len(into) + number), b"k", b"no message", {}) for number in range(40)]
    with pytest.raises(FloodError, match="more than 5 of the last 100"):
        world.run()
    assert world.store.held.offsets[at] < 9
