"""Makes features of some entities again from bronze, each from what had arrived by then, and compares them.

The export's order is not trusted: rows are found in bronze by their keys and put in order here. So a history in a wrong
order shows, and one that left something out.

Of who has more facts than can be made again the first are, and of a merchant the newest too: its features look back no
further than a month, so that those of its last facts are made of these alone, as far as their windows reach.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse

from mlops.features.catalog import FEATURES, MERCHANT_STATS, VIEW_OF, Entity, names
from mlops.features.event_rows import COLUMNS, event_of
from mlops.features.facts import PaymentFact, entity_keys, payment_fact, score_fact
from mlops.features.parquet import CREATED_COLUMN, EVENT_ID_COLUMN, EVENT_TIME_COLUMN, events_file, moments_file
from mlops.features.state import MOST_SEEN, State, empty
from mlops.features.transform import Values, apply, features
from mlops.features.windows import DAY_US, HOUR_US
from mlops.pipelines.lib.feature_export import (
    DECISIONS,
    EVENTS,
    HISTORY_SCHEMA,
    LEFT_BEHIND,
    SCORES_SCHEMA,
    BronzeReader,
    completed,
)

SAMPLE: Final[Mapping[Entity, int]] = {Entity.CUSTOMER: 50, Entity.CARD: 50, Entity.MERCHANT: 2}
MOST_FACTS: Final = 20_000
"""Of one entity from its first on, and of a merchant to its last: it may have most of what there is."""
SETTLED_AFTER: Final = 2 * MOST_SEEN
"""Facts after which a merchant's state knows duplicates as if it had seen all that came before."""
_IDS: Final[Mapping[Entity, tuple[str, ...]]] = {
    Entity.CUSTOMER: ("merchant_id", "customer_id"),
    Entity.CARD: ("merchant_id", "card_fingerprint"),
    Entity.MERCHANT: ("merchant_id",),
}
_EVER: Final = 2**63 - 1
_ROWS_AT_ONCE: Final = 20_000
_UNITS: Final = {"h": HOUR_US, "d": DAY_US}
_WINDOWS_US: Final[Mapping[str, int]] = {
    each.name: int(each.window[:-1]) * _UNITS[each.window[-1]]
    for each in FEATURES
    if each.view == MERCHANT_STATS.name and each.window != "all"
}
# A window begins with a whole hour, and a provider's clock may be a day ahead of ours.
_AHEAD_US: Final = DAY_US + HOUR_US


class Row(NamedTuple):
    """Whose features, as of which fact; both times in microseconds since 1970."""

    entity: Entity
    key: str
    event_id: str
    event_us: int
    arrived_us: int


@dataclass(frozen=True, slots=True)
class Compared:
    """How many rows of each view were made again, and which of them are not as they ought to be."""

    rows: Mapping[str, int]
    faults: list[str]


class _Chosen(NamedTuple):
    event_ids: set[str]
    # The keys that were drawn, each with the moment of arrival from which on its facts are not looked at.
    until_us: Mapping[tuple[Entity, str], int]
    # Of merchants that have more, the moment of arrival from which on they are looked at again.
    from_us: Mapping[str, int]


def compared(
    bronze: BronzeReader,
    made: Path,
    seed: int,
    sample: Mapping[Entity, int] = SAMPLE,
    most: int = MOST_FACTS,
    settled_after: int = SETTLED_AFTER,
) -> Compared:
    """Compare some entities' rows of every view, in `made`, with what bronze tells of them."""
    chosen = _choose(bronze, seed, sample, most)
    facts = _facts(bronze, chosen.event_ids)
    expected = dict(_replayed(facts, chosen.until_us))
    faults: set[str] = set()
    for entity in Entity:
        ours = {row: values for row, values in expected.items() if row.entity is entity}
        keys = {key for of, key in chosen.until_us if of is entity}
        until = {key: chosen.until_us[entity, key] for key in keys}
        faults |= _differing(ours, _stored(events_file(VIEW_OF[entity], made), entity, keys, _before(until)))
        whole = {key for key in keys if until[key] == _EVER}
        last = _last_of_moments({row: values for row, values in ours.items() if row.key in whole})
        faults |= _differing(last, _stored(moments_file(VIEW_OF[entity], made), entity, whole, _before(until)))
    newest = _Newest(chosen.from_us, settled_after)
    ours = dict(newest.replayed(facts))
    merchants = _stored(events_file(MERCHANT_STATS, made), Entity.MERCHANT, set(newest.settled_us), newest.shows)
    faults |= _differing(ours, {row: newest.told(row, values) for row, values in merchants.items()})
    counts = {VIEW_OF[entity].name: sum(row.entity is entity for row in expected) for entity in Entity}
    counts[MERCHANT_STATS.name] += len(ours.keys() - expected.keys())
    return Compared(counts, sorted(faults))


def _choose(bronze: BronzeReader, seed: int, sample: Mapping[Entity, int], most: int) -> _Chosen:
    """Draw entities among those that bronze has, and find their events: the first that arrived of each, and the last.

    Read twice and a part at a time: all of it may be more than fits in memory.
    """
    arrivals = _arrivals(bronze, _drawn(bronze, seed, sample), most)
    event_ids: set[str] = set()
    until: dict[tuple[Entity, str], int] = {}
    since: dict[str, int] = {}
    for (entity, ids), rows in arrivals.items():
        key, moments = _key(entity, dict(zip(_IDS[entity], ids, strict=True))), rows.column("processed_at")
        has_more = rows.num_rows > most
        until[entity, key] = moments[most].value if has_more else _EVER
        event_ids.update(rows.slice(0, most).column("event_id").to_pylist())
        if has_more and entity is Entity.MERCHANT:
            since[key] = moments[rows.num_rows - most].value
            event_ids.update(rows.slice(rows.num_rows - most).column("event_id").to_pylist())
    return _Chosen(event_ids, until, since)


_Ids = tuple[str, ...]


def _drawn(bronze: BronzeReader, seed: int, sample: Mapping[Entity, int]) -> Iterator[tuple[Entity, _Ids]]:
    """Of each kind those whose hashes are the smallest: the same ones in whatever order they come."""
    drawn: dict[Entity, dict[bytes, _Ids]] = {entity: {} for entity in sample}
    for rows in _read(bronze, ("merchant_id", "customer_id", "card_fingerprint")):
        for entity, count in sample.items():
            found = rows.select(_IDS[entity]).group_by(list(_IDS[entity])).aggregate([]).to_pylist()
            known = (tuple(each[name] for name in _IDS[entity]) for each in found if all(each.values()))
            hashed = drawn[entity] | {blake2b(f"{seed} {ids}".encode()).digest(): ids for ids in known}
            drawn[entity] = dict(sorted(hashed.items())[:count])
    return ((entity, ids) for entity, hashed in drawn.items() for ids in hashed.values())


def _arrivals(
    bronze: BronzeReader, drawn: Iterable[tuple[Entity, _Ids]], most: int
) -> Mapping[tuple[Entity, _Ids], pa.Table]:
    """Of each who was drawn the first events that arrived and the last, in order: all where it has no more."""
    columns = ("event_id", "processed_at", "merchant_id", "customer_id", "card_fingerprint")
    found: dict[tuple[Entity, _Ids], pa.Table | None] = dict.fromkeys(drawn)
    for rows in _read(bronze, columns):
        for (entity, ids), kept in found.items():
            own = rows
            for name, value in zip(_IDS[entity], ids, strict=True):
                own = own.filter(pc.equal(own.column(name), value))
            if own.num_rows:
                found[entity, ids] = _ends(own.select(["event_id", "processed_at"]), kept, most)
    return {each: rows for each, rows in found.items() if rows is not None}


def _ends(rows: pa.Table, kept: pa.Table | None, most: int) -> pa.Table:
    every = rows if kept is None else pa.concat_tables([kept, rows])
    every = every.sort_by([("processed_at", "ascending")])
    middle = every.num_rows - 2 * most - 1
    return every if middle <= 0 else pa.concat_tables([every.slice(0, most + 1), every.slice(most + 1 + middle)])


def _read(bronze: BronzeReader, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    schema = pa.schema([HISTORY_SCHEMA.field(name) for name in columns])
    for batch in bronze.batches(EVENTS, columns):
        yield completed(pa.Table.from_batches([batch]), schema)


def _key(entity: Entity, ids: Mapping[str, str]) -> str:
    return entity_keys(payment_fact(event_of(ids)))[entity]


def _facts(bronze: BronzeReader, event_ids: Iterable[str]) -> list[PaymentFact]:
    """Facts of these events, our scores of them included, by arrival; of two of one moment an event comes first."""
    wanted = pa.array(sorted(event_ids), pa.string())
    rows = _rows_of(bronze, EVENTS, HISTORY_SCHEMA, tuple(name for name in COLUMNS if name not in LEFT_BEHIND), wanted)
    scores = _rows_of(bronze, DECISIONS, SCORES_SCHEMA, tuple(SCORES_SCHEMA.names), wanted)
    told = [(False, payment_fact(event_of(row))) for row in rows]
    told += [(True, fact) for row in scores if (fact := _score(row)) is not None]
    return [fact for _, fact in sorted(told, key=lambda each: (each[1].arrived_at_us, each[0], each[1].event_id))]


def _rows_of(
    bronze: BronzeReader, table: str, schema: pa.Schema, columns: tuple[str, ...], wanted: pa.Array
) -> Iterator[dict[str, Any]]:
    for batch in bronze.batches(table, columns):
        rows = completed(pa.Table.from_batches([batch]), schema)
        yield from rows.filter(pc.is_in(rows.column("event_id"), value_set=wanted)).to_pylist()


def _score(row: dict[str, Any]) -> PaymentFact | None:
    probability, decided_at = row.pop("fraud_probability"), Timestamp()
    if probability is None:
        return None
    decided_at.FromDatetime(row.pop("decided_at"))
    known = {name: value for name, value in row.items() if value is not None}
    return score_fact(
        PaymentDecision(**known, fraud=ScoreResponse(fraud_probability=probability), decided_at=decided_at)
    )


def _replayed(facts: Iterable[PaymentFact], until_us: Mapping[tuple[Entity, str], int]) -> Iterator[tuple[Row, Values]]:
    """The features of each drawn entity as of each fact about it."""
    states: dict[tuple[Entity, str], State] = {}
    for fact in facts:
        for entity, key in entity_keys(fact).items():
            if fact.arrived_at_us >= until_us.get((entity, key), 0):
                continue
            state = apply(states.get((entity, key)) or empty(entity), fact)
            states[entity, key] = state
            row = Row(entity, key, fact.event_id, fact.occurred_at_us, fact.arrived_at_us)
            yield row, features(state, fact.occurred_at_us)


class _Newest:
    """Merchants' features as of their newest facts, each from the moment on from which these alone make it."""

    def __init__(self, from_us: Mapping[str, int], settled_after: int) -> None:
        self._from_us, self._settled_after = from_us, settled_after
        self.settled_us: dict[str, int] = {}
        """By merchant, the arrival of the fact from which on its state counts as if it had seen all before."""

    def replayed(self, facts: Iterable[PaymentFact]) -> Iterator[tuple[Row, Values]]:
        """From nothing on."""
        states: dict[str, State] = {}
        counted: Counter[str] = Counter()
        for fact in facts:
            key = entity_keys(fact)[Entity.MERCHANT]
            if fact.arrived_at_us < self._from_us.get(key, _EVER):
                continue
            before = states.get(key, empty(Entity.MERCHANT))
            states[key] = apply(before, fact)
            counted[key] += states[key] is not before
            if counted[key] < self._settled_after:
                continue
            settled_us = self.settled_us.setdefault(key, fact.arrived_at_us)
            row = Row(Entity.MERCHANT, key, fact.event_id, fact.occurred_at_us, fact.arrived_at_us)
            if fact.arrived_at_us > settled_us:
                yield row, self.told(row, features(states[key], fact.occurred_at_us))

    def shows(self, key: str, arrived_us: int) -> bool:
        """Whether a row is one of those that were made again."""
        return arrived_us > self.settled_us[key]

    def told(self, row: Row, values: Values) -> Values:
        """Those of a row's features whose windows lie behind that moment."""
        reach_us = row.event_us - self.settled_us[row.key] - _AHEAD_US
        return {name: value for name, value in values.items() if _WINDOWS_US.get(name, _EVER) <= reach_us}


def _last_of_moments(rows: Mapping[Row, Values]) -> dict[Row, Values]:
    """Of rows of one key and moment the one that arrived last."""
    last = {(row.key, row.event_us): row for row in rows}
    return {row: rows[row] for row in last.values()}


def _before(until_us: Mapping[str, int]) -> Callable[[str, int], bool]:
    return lambda key, arrived_us: arrived_us < until_us[key]


def _stored(file: Path, entity: Entity, keys: set[str], shows: Callable[[str, int], bool]) -> dict[Row, Values]:
    """Rows of these keys that `shows` holds of, by key and arrival."""
    join_key = VIEW_OF[entity].join_key
    table = pq.read_table(file, filters=[(join_key, "in", keys)]) if keys else pq.read_schema(file).empty_table()
    for name in (EVENT_TIME_COLUMN, CREATED_COLUMN):
        place = table.column_names.index(name)
        table = table.set_column(place, name, table.column(name).cast(pa.int64()))
    found = {}
    for batch in table.to_batches(_ROWS_AT_ONCE):
        for each in batch.to_pylist():
            key, arrived_us = each[join_key], each[CREATED_COLUMN]
            if shows(key, arrived_us):
                row = Row(entity, key, each[EVENT_ID_COLUMN], each[EVENT_TIME_COLUMN], arrived_us)
                found[row] = {name: each[name] for name in names(entity)}
    return found


def _differing(expected: Mapping[Row, Values], stored: Mapping[Row, Values]) -> set[str]:
    """Events whose row is missing on one side, or tells otherwise."""
    return {
        f"{row.event_id} of {row.entity}"
        for row in expected.keys() | stored.keys()
        if expected.get(row) != stored.get(row)
    }
