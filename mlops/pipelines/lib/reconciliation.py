"""Compares totals of gold with those of PostgreSQL, to the minor unit: what went into the lake came out of it.

Run as `python -m mlops.pipelines.lib.reconciliation`; 0 when all agree. PostgreSQL's totals are worked out by other
queries than dbt's, from the events alone; rows that ingest turned away are left out of them by their keys.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Self
from urllib.parse import urlsplit

import psycopg
import trino.dbapi
from trino.auth import BasicAuthentication

from mlops.pipelines.settings import LakeSettings, LakeSettingsError, lake_settings

_CONNECT_SECONDS: Final = 10
_QUERY_SECONDS: Final = 300.0

_REACH: Final = "SELECT max(stored_at) FROM lake.silver.payment_events"
_REJECTED: Final = "SELECT DISTINCT key FROM lake.bronze.rejected_rows WHERE source_table = 'payment_events'"

# Refunds count from their request until they fail; those of payments whose refunds never told of themselves are what
# the charge says. A dispute counts whatever came of it. Of each object the latest event holds.
_POSTGRESQL: Final = """
WITH known AS (
    SELECT * FROM tidegate.payment_events WHERE stored_at <= %(reach)s AND NOT event_id = ANY(%(rejected)s)
        AND (%(payments)s::text[] IS NULL OR payment_id IN (SELECT unnest(%(payments)s::text[])))
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
            AND payment_id NOT IN (SELECT payment_id FROM own_refunds)
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


def of_gold(settings: LakeSettings) -> tuple[list[Totals], datetime | None, list[str]]:
    """Gold's totals, how far the lake reaches (None: it is empty), and the keys of rows that were turned away."""
    if settings.trino_url is None:
        raise LakeSettingsError("TIDEGATE_TRINO_URL is not set: gold is read through Trino")
    url, secret = urlsplit(settings.trino_url), settings.trino_password
    connect: Callable[..., Any] = trino.dbapi.connect
    with connect(
        host=url.hostname,
        port=url.port,
        http_scheme=url.scheme,
        user=settings.trino_user,
        auth=BasicAuthentication(settings.trino_user, secret.get_secret_value()) if secret else None,
        request_timeout=_QUERY_SECONDS,
    ) as connection:
        cursor = connection.cursor()
        totals = [Totals.of(row) for row in cursor.execute(_GOLD).fetchall()]
        ((reach,),) = cursor.execute(_REACH).fetchall()
        rejected = [str(key) for (key,) in cursor.execute(_REJECTED).fetchall()]
    return totals, reach, rejected


def of_postgresql(
    url: str, reach: datetime | None, rejected: Sequence[str], payments: Sequence[str] | None = None
) -> list[Totals]:
    """PostgreSQL's totals of what was stored up to a moment, without the rows of some keys; of all payments or some."""
    asked = {"reach": reach, "rejected": list(rejected), "payments": None if payments is None else list(payments)}
    with psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
        rows = connection.execute(_POSTGRESQL, asked)
        return [Totals.of(row) for row in rows]


def reconcile(settings: LakeSettings) -> tuple[list[Totals], list[Difference]]:
    """Gold's totals, and every figure that PostgreSQL tells differently."""
    gold, reach, rejected = of_gold(settings)
    return gold, differences(of_postgresql(settings.postgresql(), reach, rejected), gold)


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
    except LakeSettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{as_text(totals, found)}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
