"""Compares totals of gold with those of PostgreSQL, to the minor unit: what went into the lake came out of it.

Run as `python -m mlops.pipelines.lib.reconciliation`; 0 when all agree. PostgreSQL's totals are worked out by other
queries than dbt's, from the events alone.

What silver was made of is told by the ingest's own watermark, never by a clock: PostgreSQL's side ends where bronze
ends, less the rows that silver could not have, by their keys: those that ingest turned away, and those that came to
bronze after dbt had begun. What a slow transaction stores lies behind the watermark, whatever its `stored_at`.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple, Self

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from mlops.pipelines.lib.catalog import LakeUnavailableError, open_catalog, told_of_lake
from mlops.pipelines.lib.database import Database
from mlops.pipelines.lib.postgresql import reading
from mlops.pipelines.lib.rejected import standing
from mlops.pipelines.lib.sources import SOURCES
from mlops.pipelines.lib.trino_connection import Ask, connected
from mlops.pipelines.lib.watermark import Reach, Watermark
from mlops.pipelines.settings import LakeSettings, LakeSettingsError, lake_settings

_EVENTS: Final = SOURCES["payment_events"]
MOST_PAYMENTS: Final = 100_000
"""Where more than so many were touched, all are compared: PostgreSQL looks each of them up by its index."""

_TOUCHED: Final = (
    "SELECT DISTINCT payment_id FROM lake.{table} FOR VERSION AS OF {snapshot} WHERE ingested_at > {since}"
)
_STORED_BETWEEN: Final = """
    SELECT event_id FROM tidegate.payment_events
    WHERE {indexed} AND (stored_xid, event_id COLLATE "C") > (%(after)s::text::xid8, %(after_key)s)
        AND (stored_xid, event_id COLLATE "C") <= (%(xid)s::text::xid8, %(key)s)
"""
# Rows of before there was such a column are in no index.
_INDEXED: Final = "stored_xid > '0' AND stored_xid >= %(after)s::text::xid8"
_IN_SILVER: Final = "SELECT event_id FROM lake.silver.payment_events WHERE {which}"

# Refunds count from their request until they fail; what a charge says was refunded beyond those that told of themselves
# counts too. A dispute counts whatever came of it. Of each object the latest event holds.
_POSTGRESQL: Final = """
WITH known AS (
    SELECT * FROM tidegate.payment_events
    WHERE (stored_xid, event_id COLLATE "C") <= (%(xid)s::text::xid8, %(key)s) AND NOT event_id = ANY(%(unseen)s) {some}
), events AS (
    SELECT currency, count(*) AS events FROM known GROUP BY currency
), payments AS (
    SELECT currency, count(*) AS payments, sum(authorised) AS authorised_cents, sum(captured) AS captured_cents
    FROM (
        SELECT payment_id, max(currency) AS currency,
            coalesce(max(amount_cents)
                FILTER (WHERE status IN ('authorized', 'succeeded', 'refunded')), 0) AS authorised,
            coalesce(max(coalesce(amount_captured_cents, amount_cents))
                FILTER (WHERE status IN ('succeeded', 'refunded')), 0) AS captured
        FROM known WHERE event_type LIKE 'payment.%%' GROUP BY payment_id
    ) AS of_payment GROUP BY currency
), own_refunds AS (
    SELECT DISTINCT ON (provider, provider_object_id) payment_id, currency, amount_cents, status
    FROM known WHERE event_type LIKE 'refund.%%'
    ORDER BY provider, provider_object_id, provider_created_at DESC,
        CASE status WHEN 'refund_failed' THEN 2 WHEN 'refunded' THEN 1 ELSE 0 END DESC
), refunds AS (
    SELECT currency, sum(cents) AS refunded_cents FROM (
        SELECT currency, amount_cents AS cents FROM own_refunds WHERE status <> 'refund_failed'
        UNION ALL
        SELECT charges.currency, greatest(charges.cents - coalesce(own.cents, 0), 0) FROM (
            SELECT max(payment_id) AS payment_id, max(currency) AS currency, max(amount_refunded_cents) AS cents
            FROM known WHERE event_type IN ('payment.refunded', 'payment.updated') AND amount_refunded_cents > 0
            GROUP BY provider, provider_object_id
        ) AS charges LEFT JOIN (
            SELECT payment_id, sum(amount_cents) AS cents FROM own_refunds GROUP BY payment_id
        ) AS own USING (payment_id)
    ) AS told GROUP BY currency
), disputes AS (
    SELECT currency, sum(amount_cents) AS disputed_cents FROM (
        SELECT DISTINCT ON (provider, provider_object_id) currency, amount_cents FROM known
        WHERE event_type LIKE 'dispute.%%'
        ORDER BY provider, provider_object_id, provider_created_at DESC, event_id DESC
    ) AS told GROUP BY currency
)
SELECT currency, events, coalesce(payments, 0), coalesce(authorised_cents, 0), coalesce(captured_cents, 0),
    coalesce(refunded_cents, 0), coalesce(disputed_cents, 0)
FROM events LEFT JOIN payments USING (currency) LEFT JOIN refunds USING (currency) LEFT JOIN disputes USING (currency)
ORDER BY currency
"""
# Of half a million payments: as an alternative to `IS NULL` it would be asked of each row anew.
_SOME: Final = "AND payment_id IN (SELECT unnest(%(payments)s::text[]))"
_GOLD: Final = """
WITH events AS (
    SELECT currency, count(*) AS events FROM lake.silver.payment_events WHERE {some} GROUP BY currency
), payments AS (
    SELECT currency, count(*) AS payments, sum(authorised_cents) AS authorised_cents,
        sum(captured_cents) AS captured_cents
    FROM lake.gold.fct_payments WHERE {some} GROUP BY currency
), refunds AS (
    SELECT currency, sum(amount_cents) AS refunded_cents FROM lake.gold.fct_refunds
    WHERE is_counted AND {some} GROUP BY currency
), disputes AS (
    SELECT currency, sum(amount_cents) AS disputed_cents FROM lake.gold.fct_disputes WHERE {some} GROUP BY currency
)
SELECT currency, events, coalesce(payments, 0), coalesce(authorised_cents, 0), coalesce(captured_cents, 0),
    coalesce(refunded_cents, 0), coalesce(disputed_cents, 0)
FROM events LEFT JOIN payments USING (currency) LEFT JOIN refunds USING (currency) LEFT JOIN disputes USING (currency)
ORDER BY currency
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """All money of one currency, in its minor unit, and how much it is made of."""

    currency: str
    events: int
    payments: int
    authorised_cents: int
    captured_cents: int
    refunded_cents: int
    disputed_cents: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """From a row of either query; sums come as whole numbers of any type."""
        return cls(str(row[0]), *(int(value) for value in row[1:]))


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that both sides tell differently."""

    currency: str
    figure: str
    postgresql: int
    gold: int


def differences(postgresql: Iterable[Totals], gold: Iterable[Totals]) -> list[Difference]:
    """Every figure that differs, a currency that one side lacks included."""
    theirs, ours = _by_currency(postgresql), _by_currency(gold)
    figures = [field.name for field in fields(Totals) if field.name != "currency"]
    return [
        Difference(currency, figure, at_source, in_gold)
        for currency in sorted(theirs.keys() | ours.keys())
        for figure in figures
        if (at_source := _figure(theirs, currency, figure)) != (in_gold := _figure(ours, currency, figure))
    ]


def _by_currency(totals: Iterable[Totals]) -> Mapping[str, Totals]:
    return {each.currency: each for each in totals}


def _figure(totals: Mapping[str, Totals], currency: str, figure: str) -> int:
    return int(getattr(totals[currency], figure)) if currency in totals else 0


class Gold(NamedTuple):
    """What gold tells, how far bronze reaches, and the keys of rows up to there that silver could not have.

    Of all payments, or of those that `payments` names.
    """

    totals: list[Totals]
    until: Watermark
    unseen: list[str]
    payments: list[str] | None = None


def of_gold(settings: LakeSettings, made_of: Reach | None = None, since: Reach | None = None) -> Gold:
    """Of all payments, or of those with events that came behind a state of bronze.

    Silver has all that bronze had in the state `made_of`, when dbt began: where that is not told, all that it has now.
    While dbt runs, silver may be ahead of gold: a caller takes dbt's turn.
    """
    catalog = open_catalog(settings)
    with connected(settings, "gold is read through Trino") as ask:
        touched, payments = _touched(ask, _loaded(catalog), since)
        some = "true" if payments is None else f"payment_id IN ({touched})"
        totals = [Totals.of(row) for row in ask(_GOLD.format(some=some))]
        # After silver, so that bronze has all that silver was made of. The watermark was committed with these rows.
        table = _loaded(catalog)
        until = Watermark.of(table.properties)
        rejected = standing(catalog, _EVENTS.name, table.properties)
        unseen = _turned_away(ask, rejected, settings) | _came_after(ask, made_of, until, settings)
        return Gold(totals, until, sorted(unseen), payments)


def _loaded(catalog: Catalog) -> Table:
    with told_of_lake():
        return catalog.load_table(_EVENTS.table)


def _touched(ask: Ask, table: Table, since: Reach | None) -> tuple[str, list[str] | None]:
    """Payments with events that came behind a state, as SQL and by name; None where all are to be compared."""
    snapshot = table.current_snapshot()
    if since is None or snapshot is None:
        return "", None
    query = _TOUCHED.format(table=_EVENTS.table, snapshot=snapshot.snapshot_id, since=since.literal)
    found = [str(payment) for (payment,) in ask(f"{query} LIMIT {MOST_PAYMENTS + 1}")]
    return query, found if len(found) <= MOST_PAYMENTS else None


def _turned_away(ask: Ask, rejected: str, settings: LakeSettings) -> set[str]:
    """Keys of rejected rows. Without a primary key one may stand at two rows, of which silver has the other."""
    keys = f"SELECT key FROM ({rejected}) WHERE key IS NOT NULL"  # noqa: S608 - of `standing`
    found = {str(key) for (key,) in ask(keys)}
    with Database(settings.postgresql()) as database:
        if not found or database.keeps_unique(_EVENTS):
            return found
    return found - {str(key) for (key,) in ask(_IN_SILVER.format(which=f"event_id IN ({keys})"))}


def _came_after(ask: Ask, made_of: Reach | None, until: Watermark, settings: LakeSettings) -> set[str]:
    """Keys that came to bronze after dbt had begun, as far as it did not read them all the same."""
    if made_of is None:
        return set()
    asked = {"after": str(made_of.until.xid), "after_key": made_of.until.key, "xid": str(until.xid), "key": until.key}
    query = _STORED_BETWEEN.format(indexed=_INDEXED if made_of.until.xid else "true")
    with reading(settings.postgresql()) as connection:
        found = {str(key) for (key,) in connection.execute(query, asked)}
    which = f"ingested_at > {made_of.literal}" if made_of.ingested_at else "true"
    return found - {str(key) for (key,) in ask(_IN_SILVER.format(which=which))} if found else found


def of_postgresql(
    url: str, until: Watermark, unseen: Sequence[str], payments: Sequence[str] | None = None
) -> list[Totals]:
    """PostgreSQL's totals of what was stored up to a watermark, without rows of some keys; of all payments or some."""
    asked = {
        "xid": str(until.xid),
        "key": until.key,
        "unseen": list(unseen),
        "payments": None if payments is None else list(payments),
    }
    query = _POSTGRESQL.format(some="" if payments is None else _SOME)
    with reading(url) as connection:
        return [Totals.of(row) for row in connection.execute(query, asked)]


def reconcile(
    settings: LakeSettings, made_of: Reach | None = None, since: Reach | None = None
) -> tuple[list[Totals], list[Difference]]:
    """Gold's totals as `of_gold` tells them, and every figure that PostgreSQL tells differently."""
    gold = of_gold(settings, made_of, since)
    stored = of_postgresql(settings.postgresql(), gold.until, gold.unseen, gold.payments)
    return gold.totals, differences(stored, gold.totals)


def as_text(totals: Iterable[Totals], found: Sequence[Difference]) -> str:
    """All totals, and what differs, a line each."""
    lines = [
        f"{each.currency}: {each.events:,} events, {each.payments:,} payments, authorised {each.authorised_cents},"
        f" captured {each.captured_cents}, refunded {each.refunded_cents}, disputed {each.disputed_cents}"
        for each in totals
    ]
    lines += [f"{one.currency} {one.figure}: PostgreSQL {one.postgresql}, gold {one.gold}" for one in found]
    return "\n".join([*lines, f"{len(found)} figures differ" if found else "gold and PostgreSQL agree"])


def main() -> int:
    """Say every total, and what differs."""
    try:
        totals, found = reconcile(lake_settings())
    except (LakeSettingsError, LakeUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{as_text(totals, found)}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
