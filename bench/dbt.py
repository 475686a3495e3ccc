"""How long dbt builds silver, gold and marts as the data grow tenfold, and how long it takes what is new then."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import trino.dbapi
import yaml

from bench.measure import Result
from bench.platform import started
from stack.environment import lake_addresses
from stack.home import Home
from stack.program import Context

_PAYMENTS: Final = int(os.environ.get("TIDEGATE_BENCH_DBT_PAYMENTS", "60000"))
_TENFOLD: Final = 10
_NEW_PART: Final = 100
_ENGINES: Final = ("seaweedfs", "trino")
_SOURCES: Final = Path("dbt/models/bronze/_sources.yml")
_DBT_SECONDS: Final = 3600

# Payments of a quarter: half are told of by the PaymentIntent too, every twelfth fails first and comes in a day later,
# every fiftieth is given back.
_EVENTS: Final = """
INSERT INTO lake.bronze.payment_events (
    event_id, provider, provider_event_id, event_type, merchant_id, customer_id, amount_cents, currency, card_brand,
    status, failure_code, decline_class, provider_created_at, processed_at, schema_version, payment_id,
    provider_object_id, card_fingerprint, amount_captured_cents, amount_refunded_cents, livemode, stored_at, ingested_at
)
WITH payments AS (
    SELECT thousands * 1000 + units AS n FROM unnest(sequence({first}, {last})) AS t (thousands)
    CROSS JOIN unnest(sequence(0, 999)) AS u (units)
), tries AS (
    SELECT n, part, n % 12 = 0 AND part = 0 AS is_failed, part = 2 AS is_whole, part = 3 AS is_refund
    FROM payments CROSS JOIN unnest(ARRAY[0, 1, 2, 3]) AS p (part)
    WHERE part = 1 OR part = 0 AND n % 12 = 0 OR part = 2 AND n % 2 = 0 OR part = 3 AND n % 50 = 0
), told AS (
    SELECT *, 'pi_' || cast(n AS varchar) AS payment, 500 + n * 7919 % 20000 AS cents,
        timestamp '2025-01-01 00:00:00 UTC' + n * 7907 % 7700000 * interval '1' second
        + CASE WHEN is_failed THEN interval '0' day WHEN is_refund THEN interval '5' day ELSE interval '1' day END AS at
    FROM tries
)
SELECT 'stripe:evt_' || payment || '_' || cast(part AS varchar), 'stripe', 'evt',
    CASE WHEN is_failed THEN 'payment.failed' WHEN is_refund THEN 'payment.refunded' ELSE 'payment.succeeded' END,
    'merchant_' || cast(n % 200 AS varchar), 'cus_' || cast(n % 50000 AS varchar), cents,
    element_at(ARRAY['USD', 'EUR', 'JPY'], cast(n % 3 AS integer) + 1), 'visa',
    CASE WHEN is_failed THEN 'failed' WHEN is_refund THEN 'refunded' ELSE 'succeeded' END,
    if(is_failed, 'do_not_honor'), if(is_failed, 'generic'), at, at, 1, 'stripe:' || payment,
    if(is_whole, payment, 'ch_' || cast(n AS varchar) || if(is_failed, '_failed', '')),
    'fp_' || cast(n % 60000 AS varchar), if(is_failed, 0, cents), if(is_refund, cents, 0), false, at,
    timestamp '{ingested_at} UTC'
FROM told
"""


def run() -> list[Result]:
    """Measure on engines of its own."""
    with started(*_ENGINES) as platform:
        home = Home(platform.home)
        addresses = lake_addresses(Context(home, home.read_state().ports, home.secrets([])))
        query = _query(addresses["TIDEGATE_TRINO_URL"])
        _make_tables(query)
        thousands = _PAYMENTS // 1000
        query(_EVENTS.format(first=0, last=thousands - 1, ingested_at="2025-06-01 00:00:00"))
        _dbt(platform.home, addresses)  # the first run compiles Trino's code and makes the tables
        small = _dbt(platform.home, addresses, "--full-refresh")
        last = thousands * _TENFOLD
        query(_EVENTS.format(first=thousands, last=last - 1, ingested_at="2025-06-02 00:00:00"))
        large = _dbt(platform.home, addresses, "--full-refresh")
        new = max(last // _NEW_PART, 1)
        query(_EVENTS.format(first=last, last=last + new - 1, ingested_at="2025-06-03 00:00:00"))
        part = _dbt(platform.home, addresses)
        ((events,),) = query("SELECT count(*) FROM lake.silver.payment_events")
    return [
        Result(
            id="dbt_tenfold",
            what="dbt build --full-refresh, without tests, over ten times the events against once",
            unit="s",
            ours=large,
            baseline=small,
            ratio=large / small,
            bar=None,
            better="lower",
            detail={"events": float(events), "one_percent_more_s": part},
        )
    ]


def _dbt(home: Path, addresses: Mapping[str, str], *options: str) -> float:
    target = home / "dbt"
    command = [
        str(Path(sys.executable).with_name("dbt")), "--quiet", "build", *options,
        "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test",
        "--project-dir", "dbt", "--profiles-dir", "dbt", "--target-path", str(target), "--log-path", str(target),
    ]  # fmt: skip
    environment = {**os.environ, **addresses, "DO_NOT_TRACK": "1"}
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=_DBT_SECONDS)
    if done.returncode:
        raise RuntimeError(f"dbt failed:\n{done.stdout[-4000:]}{done.stderr[-1000:]}")
    return time.perf_counter() - start


def _make_tables(query: Callable[[str], list[Any]]) -> None:
    query("CREATE SCHEMA IF NOT EXISTS lake.bronze")
    for table in yaml.safe_load(_SOURCES.read_text(encoding="utf-8"))["sources"][0]["tables"]:
        columns = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in table["columns"])
        query(f"CREATE TABLE lake.bronze.{table['name']} ({columns})")


def _query(url: str) -> Callable[[str], list[Any]]:
    address = urlsplit(url)
    connect: Callable[..., Any] = trino.dbapi.connect
    cursor = connect(host=address.hostname, port=address.port, user="tidegate", catalog="lake").cursor()
    return lambda statement: list(cursor.execute(statement).fetchall())
