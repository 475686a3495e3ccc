"""Compares totals of gold with those of PostgreSQL, to the minor unit: what went into the lake came out of it.

Run as `python -m mlops.pipelines.lib.reconciliation`; 0 when all agree. PostgreSQL's totals are worked out by other
queries than dbt's, from the events alone.

What silver was made of is told by the ingest's own watermark, never by a clock: PostgreSQL's side ends where bronze
ends, less the rows that silver could not have, by their keys: those that ingest turned away, and those that came to
bronze after dbt had read it. What a slow transaction stores lies behind the watermark, whatever its `stored_at`.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import psycopg

from mlops.pipelines.lib.catalog import LakeUnavailableError, open_catalog
from mlops.pipelines.lib.rejected import standing
from mlops.pipelines.lib.sources import SOURCES
from mlops.pipelines.lib.trino_connection import Ask, connected
from mlops.pipelines.lib.watermark import Watermark
from mlops.pipelines.settings import LakeSettings, LakeSettingsError, lake_settings

_CONNECT_SECONDS: Final = 10
_EVENTS: Final = SOURCES["payment_events"]

# A run of dbt reads batches up to the newest `ingested_at` of then, which is silver's newest.
_UNSEEN: Final = """
(
    SELECT event_id FROM {bronze} WHERE ingested_at > (
        SELECT coalesce(max(ingested_at), timestamp '1970-01-01 00:00:00 UTC') FROM lake.silver.payment_events
    )
    UNION SELECT key FROM ({rejected}) WHERE key IS NOT NULL
) EXCEPT SELECT event_id FROM lake.silver.payment_events
"""

# Refunds count from their request until they fail; those of payments whose refunds never told of themselves are what
# the charge says. A dispute counts whatever came of it. Of each object the latest event holds.
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
        SELECT max(currency), max(amount_refunded_cents) FROM known
        WHERE event_type IN ('payment.refunded', 'payment.updated') AND amount_refunded_cents > 0
            AND NOT EXISTS (SELECT FROM own_refunds WHERE own_refunds.payment_id = known.payment_id)
        GROUP BY provider, provider_object_id
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
    SELECT currency, count(*) AS events FROM lake.silver.payment_events GROUP BY currency
), payments AS (
    SELECT currency, count(*) AS payments, sum(authorised_cents) AS authorised_cents,
        sum(captured_cents) AS captured_cents
    FROM lake.gold.fct_payments GROUP BY currency
), refunds AS (
    SELECT currency, sum(amount_cents) AS refunded_cents FROM lake.gold.fct_refunds WHERE is_counted GROUP BY currency
), disputes AS (
    SELECT currency, sum(amount_cents) AS disputed_cents FROM lake.gold.fct_disputes GROUP BY currency
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


def of_gold(settings: LakeSettings) -> tuple[list[Totals], Watermark, list[str]]:
    """Gold's totals, how far bronze reaches, and the keys of rows up to there that silver could not have.

    While dbt runs, silver may be ahead of gold: a caller takes dbt's turn.
    """
    with connected(settings, "gold is read through Trino") as ask:
        totals = [Totals.of(row) for row in ask(_GOLD)]
        return totals, *_reach(ask, settings)


def _reach(ask: Ask, settings: LakeSettings) -> tuple[Watermark, list[str]]:
    """Asked after silver, so that bronze has all that silver was made of."""
    catalog = open_catalog(settings)
    table = catalog.load_table(_EVENTS.table)
    # The watermark was committed with these rows, and describes them whatever is ingested meanwhile.
    until, snapshot = Watermark.of(table.properties), table.current_snapshot()
    if snapshot is None:
        return until, []
    bronze = f"lake.{_EVENTS.table} FOR VERSION AS OF {snapshot.snapshot_id}"
    query = _UNSEEN.format(bronze=bronze, rejected=standing(catalog, _EVENTS.name, table.properties))
    return until, [str(key) for (key,) in ask(query)]


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
    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
            return [Totals.of(row) for row in connection.execute(query, asked)]
    except psycopg.Error as error:
        raise LakeUnavailableError(f"PostgreSQL: {str(error).strip().partition(chr(10))[0]}") from error


def reconcile(settings: LakeSettings) -> tuple[list[Totals], list[Difference]]:
    """Gold's totals, and every figure that PostgreSQL tells differently."""
    gold, until, unseen = of_gold(settings)
    return gold, differences(of_postgresql(settings.postgresql(), until, unseen), gold)


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
