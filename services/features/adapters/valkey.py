"""The online store on Valkey: entities in Feast's layout, and the stream's offsets beside them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from mlops.features.catalog import VIEW_OF
from mlops.features.online import KEPT, STORED_FIELDS, Stored, fields, rebuilding_key, revision_field, stored
from mlops.features.online_layout import PROJECT, hash_key
from mlops.features.state import VERSION
from services.features.handler import EntityKey, Partition, PartitionWrite
from services.features.ports import FeatureStore, Outcome, StoreFullError
from services.runtime.clock import Clock
from services.runtime.errors import NeighbourUnavailableError

_NAME: Final = "Valkey"
_CALL_SECONDS: Final = 5.0
_SCRIPT: Final = Path(__file__).with_name("write.lua")

T = TypeVar("T")


class ValkeyStore(FeatureStore):
    """A FeatureStore on one node. Not thread safe.

    Offsets stand under the version of states: code that writes another version begins anew, at the topics' first
    message, and replaces states as it comes to them.
    """

    def __init__(self, url: str, clock: Clock, *, group: str, project: str = PROJECT) -> None:
        self._client: Redis = Redis.from_url(url, socket_timeout=_CALL_SECONDS, socket_connect_timeout=_CALL_SECONDS)
        # Sent whole each time: a kilobyte, where its name alone would have to be loaded again whenever Valkey restarts.
        self._script = _SCRIPT.read_text()
        self._clock = clock
        self._project = project
        self._rebuilding = rebuilding_key(project)
        self._offsets = f"tidegate:features:offsets:v{VERSION}:{group}".encode()

    def offsets(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """The next message to apply of each partition."""
        names = list(map(_partition_field, partitions))
        found: list[Any] = _answered(lambda: self._client.hmget(self._offsets, names)) if names else []
        return {
            partition: None if offset is None else int(offset)
            for partition, offset in zip(partitions, found, strict=True)
        }

    def read(self, keys: Sequence[EntityKey]) -> Sequence[Stored]:
        """What is held of each entity, in one round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for entity, key in keys:
            pipeline.hmget(self._hash(entity, key), list(STORED_FIELDS[entity]))
        return [stored(reply) for reply in _replies(pipeline)]

    def write(self, writes: Sequence[PartitionWrite]) -> Sequence[Outcome]:
        """Do each of them in turn, in one round trip."""
        expires_at = int((self._clock.now() + KEPT).timestamp())
        pipeline = self._client.pipeline(transaction=False)
        for write in writes:
            keys = [self._offsets, *(self._hash(entity, key) for entity, key in write.entities)]
            pipeline.eval(self._script, len(keys), *keys, *_arguments(write, expires_at))
        return [Outcome(reply.decode()) for reply in _replies(pipeline)]

    def rebuilding(self) -> frozenset[Partition]:
        """Partitions that are said to be built anew."""
        found: list[Any] = _answered(lambda: self._client.hkeys(self._rebuilding))
        return frozenset(map(_partition, found))

    def say_rebuilding(self, partitions: Sequence[Partition], *, done: bool = False) -> None:
        """Kept by partition, since each belongs to one process."""
        names = list(map(_partition_field, partitions))
        if done:
            _answered(lambda: self._client.hdel(self._rebuilding, *names))
        else:
            _answered(lambda: self._client.hset(self._rebuilding, mapping=dict.fromkeys(names, 1)))

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _hash(self, entity: Any, key: str) -> bytes:
        return hash_key(VIEW_OF[entity], key, self._project)


def _partition_field(partition: Partition) -> bytes:
    topic, number = partition
    return f"{topic}/{number}".encode()


def _partition(field: bytes) -> Partition:
    topic, _, number = field.decode().rpartition("/")
    return topic, int(number)


def _arguments(write: PartitionWrite, expires_at: int) -> list[Any]:
    expected = "" if write.expected_offset is None else write.expected_offset
    head = [_partition_field(write.partition), expected, write.next_offset, expires_at]
    return [*head, *chain.from_iterable(_entity(write, key) for key in write.entities)]


def _entity(write: PartitionWrite, key: EntityKey) -> Sequence[Any]:
    (entity, _), after = key, write.entities[key]
    if after.state is None or after.moment_us is None:
        raise ValueError("an entity is written with its state and its moment")
    written = fields(entity, after.state, after.moment_us, write.revision)
    return [revision_field(entity), after.revision, len(written), *written]


def _replies(pipeline: Any) -> Sequence[Any]:
    """Raised here and not by the pipeline, which would tell the command and with it whose values it has."""

    def execute() -> Sequence[Any]:
        replies: Sequence[Any] = pipeline.execute(raise_on_error=False)
        if failure := next((reply for reply in replies if isinstance(reply, Exception)), None):
            raise failure
        return replies

    return _answered(execute)


def _answered(call: Callable[[], T]) -> T:
    """Whatever goes wrong with the store is the store's trouble. Its own words hold no value and no password."""
    try:
        return call()
    except OutOfMemoryError as error:
        raise StoreFullError(_NAME, "its memory is used up; raise its maxmemory, nothing is lost meanwhile") from error
    except (RedisError, OSError) as error:
        raise NeighbourUnavailableError(_NAME, f"{type(error).__name__}: {error}") from error
