"""Makes features of some entities again from bronze, each from what had arrived by then, and compares them.

The export's order is not trusted: rows are found in bronze by their keys and put in order here. So a history in a wrong
order shows, and one that left something out.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse

from mlops.features.catalog import VIEW_OF, Entity, names
from mlops.features.event_rows import COLUMNS, event_of
from mlops.features.facts import PaymentFact, entity_keys, payment_fact, score_fact
from mlops.features.parquet import CREATED_COLUMN, EVENT_ID_COLUMN, EVENT_TIME_COLUMN, events_file, moments_file
from mlops.features.state import State, empty
from mlops.features.transform import Values, apply, features
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
"""Of one entity, from its first on: a merchant may have most of what there is."""
_IDS: Final[Mapping[Entity, tuple[str, ...]]] = {
    Entity.CUSTOMER: ("merchant_id", "customer_id"),
    Entity.CARD: ("merchant_id", "card_fingerprint"),
    Entity.MERCHANT: ("merchant_id",),
}
_EVER: Final = 2**63 - 1


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


def compared(
    bronze: BronzeReader, made: Path, seed: int, sample: Mapping[Entity, int] = SAMPLE, most: int = MOST_FACTS
) -> Compared:
    """Compare some entities' rows of every view, in `made`, with what bronze tells of them."""
    chosen = _choose(bronze, seed, sample, most)
    expected = dict(_replayed(_facts(bronze, chosen.event_ids), chosen.until_us))
    faults: set[str] = set()
    for entity in Entity:
        ours = {row: values for row, values in expected.items() if row.entity is entity}
        keys = {key for of, key in chosen.until_us if of is entity}
        faults |= _differing(ours, _stored(events_file(VIEW_OF[entity], made), entity, keys, chosen.until_us))
        whole = {key for key in keys if chosen.until_us[entity, key] == _EVER}
        last = _last_of_moments({row: values for row, values in ours.items() if row.key in whole})
        faults |= _differing(last, _stored(moments_file(VIEW_OF[entity], made), entity, whole, chosen.until_us))
    counts = {VIEW_OF[entity].name: sum(row.entity is entity for row in expected) for entity in Entity}
    return Compared(counts, sorted(faults))


def _choose(bronze: BronzeReader, seed: int, sample: Mapping[Entity, int], most: int) -> _Chosen:
    """Draw entities among those that bronze has, and find their events: the first that arrived of each."""
    columns = ("event_id", "processed_at", "merchant_id", "customer_id", "card_fingerprint")
    schema = pa.schema([HISTORY_SCHEMA.field(name) for name in columns])
    parts = [completed(pa.Table.from_batches([batch]), schema) for batch in bronze.batches(EVENTS, columns)]
    rows = pa.concat_tables([schema.empty_table(), *parts])
    event_ids: set[str] = set()
    until: dict[tuple[Entity, str], int] = {}
    draw = random.Random(seed)  # noqa: S311 - a sample to look at
    for entity, count in sample.items():
        ids = rows.select(_IDS[entity]).group_by(list(_IDS[entity])).aggregate([]).drop_null().to_pylist()
        known = sorted((each for each in ids if all(each.values())), key=lambda each: tuple(each.values()))
        for drawn in draw.sample(known, min(count, len(known))):
            own = rows
            for name, value in drawn.items():
                own = own.filter(pc.equal(own.column(name), value))
            own = own.sort_by([("processed_at", "ascending")])
            cut = own.column("processed_at")[most].value if own.num_rows > most else _EVER
            event_ids.update(own.slice(0, most).column("event_id").to_pylist())
            until[entity, _key(entity, drawn)] = cut
    return _Chosen(event_ids, until)


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


def _last_of_moments(rows: Mapping[Row, Values]) -> dict[Row, Values]:
    """Of rows of one key and moment the one that arrived last."""
    last = {(row.key, row.event_us): row for row in rows}
    return {row: rows[row] for row in last.values()}


def _stored(
    file: Path, entity: Entity, keys: set[str], until_us: Mapping[tuple[Entity, str], int]
) -> dict[Row, Values]:
    join_key = VIEW_OF[entity].join_key
    table = pq.read_table(file, filters=[(join_key, "in", keys)]) if keys else pq.read_schema(file).empty_table()
    for name in (EVENT_TIME_COLUMN, CREATED_COLUMN):
        place = table.column_names.index(name)
        table = table.set_column(place, name, table.column(name).cast(pa.int64()))
    found = {}
    for each in table.to_pylist():
        key, arrived_us = each[join_key], each[CREATED_COLUMN]
        if arrived_us < until_us[entity, key]:
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
