"""The store on Valkey keeps what every store promises, forgets what nobody hears of, and says when it is full."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from mlops.features.catalog import CUSTOMER_STATS
from mlops.features.online import KEPT, NOTHING
from mlops.features.online_layout import hash_key
from services.features.adapters.valkey import ValkeyStore
from services.features.handler import PartitionWrite
from services.features.ports import Outcome, StoreFullError
from services.runtime.clock import FrozenClock, SystemClock
from services.runtime.errors import NeighbourUnavailableError
from tests.fakes.feature_store_suite import CUSTOMER, P0, FeatureStoreSuite, after
from tests.unit.mlops.features.histories import fact

# Where memory can be used up without another test's noticing it.
_FULL = "maxmemory"


@pytest.fixture
def project(unique_name: Callable[[str], str]) -> str:
    return unique_name("project")


@pytest.fixture
def store(valkey: str, project: str) -> Iterator[ValkeyStore]:
    made = ValkeyStore(valkey, SystemClock(), group=project, project=project)
    yield made
    made.close()


class TestValkeyStore(FeatureStoreSuite):
    """The fixture above."""


def test_an_entity_is_dropped_when_nothing_was_heard_of_it_for_longer_than_any_ttl(valkey: str, project: str) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=36_500)
    store = ValkeyStore(valkey, FrozenClock(now), group=project, project=project)
    store.write([PartitionWrite(P0, None, 1, {CUSTOMER: after(NOTHING, CUSTOMER, fact(1))})])
    with Redis.from_url(valkey) as client:
        expires: Any = client.expiretime(hash_key(CUSTOMER_STATS, CUSTOMER[1], project))
    assert expires == int((now + KEPT).timestamp())
    assert CUSTOMER_STATS.ttl < KEPT
    store.close()


def test_a_full_store_takes_nothing_and_says_so_and_goes_on_when_there_is_room(store: ValkeyStore, valkey: str) -> None:
    write = PartitionWrite(P0, None, 1, {CUSTOMER: after(NOTHING, CUSTOMER, fact(1))})
    with Redis.from_url(valkey) as client:
        before: Any = client.config_get(_FULL)
        client.config_set(_FULL, "1mb")
        try:
            with pytest.raises(StoreFullError, match="maxmemory"):
                store.write([write])
            assert store.read([CUSTOMER]) == [NOTHING]
            assert store.offsets([P0]) == {P0: None}
        finally:
            client.config_set(_FULL, before[_FULL])
    assert store.write([write]) == [Outcome.WRITTEN]


def test_a_store_that_is_away_is_a_neighbour_that_is_away() -> None:
    store = ValkeyStore("redis://:secret@127.0.0.1:1/0", SystemClock(), group="g")
    for call in (lambda: store.offsets([P0]), lambda: store.read([CUSTOMER]), store.rebuilding):
        with pytest.raises(NeighbourUnavailableError) as error:
            call()
        assert "secret" not in str(error.value)
