"""Compares the keys that PostgreSQL had stored by the watermark with those of bronze, day by day; each once.

Both engines sum a hash of every key, whatever the order: one row missing and another one doubled does not add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from psycopg import sql
from pyiceberg.catalog import Catalog

from mlops.pipelines.lib.catalog import told_of_lake
from mlops.pipelines.lib.columns import STORED_XID
from mlops.pipelines.lib.postgresql import reading
from mlops.pipelines.lib.rejected import standing
from mlops.pipelines.lib.sources import Source
from mlops.pipelines.lib.trino_connection import connected
from mlops.pipelines.lib.watermark import Reach, Watermark
from mlops.pipelines.settings import LakeSettings

_UNKNOWN: Final = "no day"
# 60 bits of MD5, which both engines have: a sum of them is exact in either. A table without a primary key may have a
# key twice, of which bronze takes one.
_STORED: Final = """
    SELECT day::text, count(*), coalesce(sum(hash), 0)::text FROM (
        SELECT DISTINCT ({at} AT TIME ZONE 'UTC')::date AS day,
            ('x' || substr(md5({key}), 1, 15))::bit(60)::bigint AS hash
        FROM {table} WHERE {position} <= ({until}::text::xid8, {last}) AND {behind}
    ) AS keys GROUP BY day
"""
_POSITION: Final = """({xid}, coalesce({key}, '') COLLATE "C")"""
# The first of these is the index's own condition.
_BEHIND: Final = "{xid} > '0' AND {xid} >= {after}::text::xid8 AND {position} > ({after}::text::xid8, {key_after})"
# What was rejected counts as had, unless it is in bronze as well: a key of two rows, of which one could pass.
_IN_LAKE: Final = """
    SELECT cast(day AS varchar), count(*), cast(coalesce(sum(hash), 0) AS varchar), sum(greatest(ingested - 1, 0)),
        sum(ingested), sum(rejected)
    FROM (
        SELECT day, hash, sum(ingested) AS ingested, if(sum(ingested) = 0, 1, 0) AS rejected
        FROM (
            SELECT cast(at_timezone({at}, 'UTC') AS date) AS day, {hash} AS hash, 1 AS ingested FROM {bronze}
            WHERE {came}
            UNION ALL SELECT event_day, {hash_of_rejected}, 0 FROM ({rejected} AND {were_rejected})
        ) GROUP BY day, hash
    ) GROUP BY day
"""
_HASH: Final = "cast(from_base(substr(lower(to_hex(md5(to_utf8({})))), 1, 15), 16) AS decimal(38, 0))"


class Keys(NamedTuple):
    """Of one day, on one side: how many different keys there are, and the sum of their hashes."""

    number: int
    digest: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Rows that were compared, and the days on which the two sides differ."""

    stored: int
    ingested: int
    rejected: int
    doubled: int
    differing: Mapping[str, str]


def compared(source: Source, catalog: Catalog, settings: LakeSettings, since: Reach | None = None) -> Compared:
    """Compare a source's keys on both sides: all, or those that came behind a state of bronze. LakeUnavailableError."""
    with told_of_lake():
        table = catalog.load_table(source.table)
    # One state of bronze and the watermark that was committed with it, whatever is ingested meanwhile.
    until, snapshot = Watermark.of(table.properties), table.current_snapshot()
    found: Sequence[Sequence[Any]] = []
    if snapshot is not None:
        query = _IN_LAKE.format(
            at=source.happened_at,
            hash=_HASH.format(source.key),
            bronze=f"{source.table} FOR VERSION AS OF {snapshot.snapshot_id}",
            hash_of_rejected=_HASH.format("key"),
            rejected=standing(catalog, source.name, table.properties),
            came="true" if since is None else f"ingested_at > {since.literal}",
            were_rejected="true" if since is None else f"rejected_at > {since.literal}",
        )
        with connected(settings, "keys of bronze are counted by Trino") as ask:
            found = ask(query)
    stored = _stored(source, until, since, settings.postgresql())
    in_lake = {day or _UNKNOWN: Keys(int(count), int(digest)) for day, count, digest, *_ in found}
    doubled = {row[0] or _UNKNOWN: int(row[3]) for row in found}
    return Compared(
        stored=sum(keys.number for keys in stored.values()),
        ingested=sum(int(row[4]) for row in found),
        rejected=sum(int(row[5]) for row in found),
        doubled=sum(doubled.values()),
        differing=differences(stored, in_lake, doubled),
    )


def differences(stored: Mapping[str, Keys], in_lake: Mapping[str, Keys], doubled: Mapping[str, int]) -> dict[str, str]:
    """Each day on which the sides differ, in order, with what is wrong in words; pure."""
    told = {
        day: _told(stored.get(day, Keys(0, 0)), in_lake.get(day, Keys(0, 0)), doubled.get(day, 0))
        for day in sorted(stored.keys() | in_lake.keys())
    }
    return {day: words for day, words in told.items() if words}


def _told(stored: Keys, in_lake: Keys, doubled: int) -> str:
    words = []
    if stored.number != in_lake.number:
        words.append(f"PostgreSQL has {stored.number:,} keys, the lake {in_lake.number:,}")
    elif stored.digest != in_lake.digest:
        words.append(f"{stored.number:,} keys on both sides, and not the same ones")
    if doubled:
        words.append(f"{doubled:,} rows of bronze repeat a key")
    return "; ".join(words)


def what_to_do(source: Source, differing: Mapping[str, str]) -> str:
    """For people, where days differ."""
    days = [day for day in differing if _is_day(day)]
    listed = " ".join(f"--day {day}" for day in days[:31])
    return (
        f"`python -m mlops.pipelines backfill {source.name} {listed}` puts what PostgreSQL has in the place of these "
        f"days; `python -m mlops.pipelines rebuild {source.name}` brings all of it anew"
        if days
        else f"`python -m mlops.pipelines rebuild {source.name}` brings all of it anew"
    )


def _is_day(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _stored(source: Source, until: Watermark, since: Reach | None, database_url: str) -> dict[str, Keys]:
    key, xid = sql.Identifier(source.key), sql.Identifier(STORED_XID)
    position = sql.SQL(_POSITION).format(xid=xid, key=key)
    behind: sql.Composable = sql.SQL("true")
    if since is not None:
        behind = sql.SQL(_BEHIND).format(
            xid=xid, position=position, after=str(since.until.xid), key_after=since.until.key
        )
    query = sql.SQL(_STORED).format(
        at=sql.Identifier(source.happened_at),
        table=sql.Identifier("tidegate", source.name),
        key=key,
        position=position,
        until=str(until.xid),
        last=until.key,
        behind=behind,
    )
    with reading(database_url) as connection:
        return {day or _UNKNOWN: Keys(int(count), int(digest)) for day, count, digest in connection.execute(query)}
