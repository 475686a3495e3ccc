"""Compares what the online store holds with where the lake's history ends, and fills in what the store has not got.

The stream owns the store (services/features): it is newer than the lake, and what it wrote is never written over. What
the topics have forgotten the stream cannot bring back; the lake can. A store that is being built anew is left alone,
since the stream comes to the same events again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow.parquet as pq
from redis import Redis

from mlops.features.catalog import VIEW_OF, Entity
from mlops.features.online import KEPT, STORED_FIELDS, Stored, fields, rebuilding_key, revision_field, stored
from mlops.features.online_layout import PROJECT, hash_key
from mlops.features.state import State, decode

CALL_SECONDS: Final = 5.0
_AT_ONCE: Final = 1_000
_KEPT_US: Final = int(KEPT.total_seconds() * 1_000_000)
# Of an entity that somebody else has written by now nothing is touched.
_FILL: Final = """
    if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
    redis.call('HSET', KEYS[1], unpack(ARGV, 3))
    redis.call('EXPIREAT', KEYS[1], ARGV[2])
    return 1
"""


class Standing(StrEnum):
    """How an entity online lies beside where the lake's history ends."""

    EQUAL = "equal"
    # The stream has had what the lake has not got yet.
    AHEAD = "ahead"
    # The lake has had what the stream has not come to, or what its topics no longer had.
    BEHIND = "behind"
    # Both ended at the same moment, and say different things: a fault.
    DIFFERENT = "different"
    # The store had nothing of it, and has it from the lake now.
    FILLED = "filled"
    # The store had nothing of it and is being built anew, or somebody else wrote it meanwhile.
    LEFT = "left"


class Ended(NamedTuple):
    """One entity, and where the lake's history of it ends."""

    entity: Entity
    key: str
    state: State


@dataclass(frozen=True, slots=True)
class Materialised:
    """How many entities were found how. Which ones is not told: their keys are personal."""

    standings: Mapping[Standing, int]
    too_old: int

    @property
    def compared(self) -> int:
        """Of how many the store had something."""
        return sum(self.standings.get(each, 0) for each in (*_AGREE, Standing.BEHIND, Standing.DIFFERENT))


_AGREE: Final = (Standing.EQUAL, Standing.AHEAD)


def standing(held: Stored, state: State) -> Standing | None:
    """What the store holds beside the lake's; None where it holds nothing. Pure."""
    if held.state is None:
        return None
    if held.state == state:
        return Standing.EQUAL
    if held.state.watermark_us == state.watermark_us:
        return Standing.DIFFERENT
    return Standing.AHEAD if held.state.watermark_us > state.watermark_us else Standing.BEHIND


def materialise(states: Path, store: "OnlineStore", now: datetime) -> Materialised:
    """Compare every entity that the store would still keep, and fill in those that it has not got."""
    found: Counter[Standing] = Counter()
    too_old = 0
    oldest_us = int(now.timestamp() * 1_000_000) - _KEPT_US
    for ends in ended(states):
        kept = [each for each in ends if each.state.watermark_us >= oldest_us]
        too_old += len(ends) - len(kept)
        found.update(store.reconciled(kept, now))
    return Materialised(found, too_old)


def ended(states: Path) -> Iterator[list[Ended]]:
    """The entities of a file of states (mlops/training/history.py), some at a time."""
    with pq.ParquetFile(states) as file:
        for batch in file.iter_batches(_AT_ONCE):
            yield [Ended(Entity(row["entity"]), row["key"], decode(row["state"])) for row in batch.to_pylist()]


class OnlineStore:
    """Valkey, in the layout that the stream writes and Feast reads. RedisError where it is away or full."""

    def __init__(self, url: str, project: str = PROJECT) -> None:
        self._client: Redis = Redis.from_url(url, socket_timeout=CALL_SECONDS, socket_connect_timeout=CALL_SECONDS)
        self._project = project

    def reconciled(self, ends: Sequence[Ended], now: datetime) -> list[Standing]:
        """How each stood, and what was absent filled in."""
        held = self._read(ends)
        found = {place: standing(each, end.state) for place, (each, end) in enumerate(zip(held, ends, strict=True))}
        absent = [place for place, each in found.items() if each is None]
        if absent and not self._client.exists(rebuilding_key(self._project)):
            filled = self._fill([ends[place] for place in absent], now)
            found |= dict(zip(absent, filled, strict=True))
        return [each or Standing.LEFT for each in found.values()]

    def _read(self, ends: Sequence[Ended]) -> list[Stored]:
        pipeline = self._client.pipeline(transaction=False)
        for each in ends:
            pipeline.hmget(self._hash(each), list(STORED_FIELDS[each.entity]))
        return [stored(reply) for reply in pipeline.execute()]

    def _fill(self, ends: Sequence[Ended], now: datetime) -> list[Standing]:
        expires_at = int((now + KEPT).timestamp())
        pipeline = self._client.pipeline(transaction=False)
        for each in ends:
            written = fields(each.entity, each.state, each.state.watermark_us, "lake")
            pipeline.eval(_FILL, 1, self._hash(each), revision_field(each.entity), expires_at, *written)
        replies: list[Any] = pipeline.execute()
        return [Standing.FILLED if reply else Standing.LEFT for reply in replies]

    def _hash(self, each: Ended) -> bytes:
        return hash_key(VIEW_OF[each.entity], each.key, self._project)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()
