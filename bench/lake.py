"""Iceberg as the ingest uses it: what an append costs beside bare Parquet, what 500 commits and their maintenance do.

All on one object store, in one run. Append: 100,000 events of a day in one commit with its watermark, against the same
rows written as a Parquet file. Commits: small ones, five hundred, with maintenance as often, and as many snapshots
kept, as where ingest commits every ten minutes, maintenance comes every six hours and keeps a day; the last ten in turn
with the first commits of new tables. Scan: all of that table afterwards, against one with a single file of the same
rows.
"""

import hashlib
import statistics
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import S3FileSystem
from pyiceberg.table import Table

from bench.measure import Result, interleaved
from bench.platform import Platform, started
from mlops.pipelines.lib.catalog import open_catalog
from mlops.pipelines.lib.columns import TIMESTAMP, contract_columns
from mlops.pipelines.lib.maintenance import KEEP_HOURS, maintain
from mlops.pipelines.lib.sources import SOURCES
from mlops.pipelines.lib.tables import commit, open_table, stage_rows
from mlops.pipelines.lib.watermark import Watermark
from mlops.pipelines.settings import CatalogAuth, LakeSettings
from stack.environment import lake_addresses
from stack.home import Home
from stack.program import Context

ENGINES: Final = ("postgresql", "seaweedfs", "trino")
_COLUMNS: Final = contract_columns(SOURCES["payment_events"].contract)
_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ROWS: Final = 100_000
_ROUNDS: Final = 5
_COMMITS: Final = 500
_ROWS_PER_COMMIT: Final = 100
_COMMITS_PER_HOUR: Final = 6
_MAINTAINED_EVERY: Final = 6 * _COMMITS_PER_HOUR
_KEPT: Final = KEEP_HOURS * _COMMITS_PER_HOUR
_EDGE: Final = 10
_BUCKET: Final = "bench"
_FIRST: Final = "bench_first"


def run() -> list[Result]:
    """Measure on engines of their own."""
    with started("--engines-only", *ENGINES) as platform:
        return measure(settings_of(platform))


def settings_of(platform: Platform) -> LakeSettings:
    """Of the lake on a platform."""
    home = Home(platform.home)
    told = lake_addresses(Context(home, home.read_state().ports, home.secrets([])))
    fields: dict[str, Any] = {
        "catalog_url": told["TIDEGATE_CATALOG_URL"],
        "catalog_warehouse": told["TIDEGATE_CATALOG_WAREHOUSE"],
        "catalog_auth": CatalogAuth.SIGV4,
        "s3_url": told["TIDEGATE_S3_URL"],
        "s3_access_key_id": told["AWS_ACCESS_KEY_ID"],
        "s3_secret_access_key": told["AWS_SECRET_ACCESS_KEY"],
        "s3_region": told["AWS_DEFAULT_REGION"],
        "trino_url": told["TIDEGATE_TRINO_URL"],
    }
    return LakeSettings(**fields)


def measure(settings: LakeSettings) -> list[Result]:
    """All three, on tables of their own, which are dropped before and after."""
    bench = _Bench(settings)
    try:
        return [bench.append(), *bench.commits_and_scan()]
    finally:
        bench.drop()


class _Bench:
    def __init__(self, settings: LakeSettings) -> None:
        self._settings, self._catalog = settings, open_catalog(settings)
        keys = _keys(settings)
        client = boto3.client("s3", **keys, endpoint_url=settings.s3_url)
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=_BUCKET)
        self._files = S3FileSystem(
            access_key=keys["aws_access_key_id"],
            secret_key=keys["aws_secret_access_key"],
            endpoint_override=settings.s3_url,
            region=settings.s3_region,
        )
        self._numbers = count(1)
        self.drop()

    def drop(self) -> None:
        for name in ("bench_append", "bench_commits", "bench_single", _FIRST):
            if self._catalog.table_exists(f"bronze.{name}"):
                self._catalog.drop_table(f"bronze.{name}")

    def append(self) -> Result:
        """Rows per second of a commit, and of a file."""
        rows, table = events(_ROWS), self._table("bench_append")
        self._commit(table, rows)  # warm up
        self._write(rows)

        def ours() -> float:
            return _ROWS / _seconds(lambda: self._commit(table, rows))

        def bare() -> float:
            return _ROWS / _seconds(lambda: self._write(rows))

        mine, baseline, ratio = interleaved(ours, bare, _ROUNDS)
        what = f"{_ROWS:,} events appended to Iceberg with their watermark, against a bare Parquet file of them"
        return Result("lake_append", what, "rows/s", mine, baseline, ratio, 0.4, "higher", {})

    def commits_and_scan(self) -> list[Result]:
        """Five hundred commits with maintenance, the last of them beside first ones; and then a scan."""
        table, batch = self._table("bench_commits"), events(_ROWS_PER_COMMIT)
        name = ".".join(table.name())
        upkeep: list[float] = []
        committed: deque[float] = deque(maxlen=_KEPT)
        for number in range(1, _COMMITS - _EDGE + 1):
            self._commit(table, batch)
            committed.append(time.monotonic())
            if number % _MAINTAINED_EVERY == 0:
                keep_hours = (time.monotonic() - committed[0]) / 3600
                upkeep.append(sum(done.seconds for done in maintain(self._settings, [name], keep_hours)))
                table.refresh()
        last, first, ratio = interleaved(
            lambda: _seconds(lambda: self._commit(table, batch)) * 1000, lambda: self._first_commit(batch), _EDGE
        )
        detail = {"maintenance_seconds": statistics.median(upkeep), "snapshots": float(len(table.snapshots()))}
        what = (
            f"a commit of {_ROWS_PER_COMMIT} rows after {_COMMITS} of them, with maintenance, against a table's first"
        )
        commits = Result("lake_commit", what, "ms", last, first, ratio, 1.5, "lower", detail)
        list(maintain(self._settings, [name], keep_hours=0))
        return [commits, self._scan(table.refresh())]

    def _first_commit(self, rows: pa.Table) -> float:
        fresh = self._table(_FIRST)
        try:
            return _seconds(lambda: self._commit(fresh, rows)) * 1000
        finally:
            self._catalog.drop_table(f"bronze.{_FIRST}")

    def _scan(self, table: Table) -> Result:
        single = self._table("bench_single")
        self._commit(single, pa.concat_tables([events(_ROWS_PER_COMMIT)] * _COMMITS))
        ours, baseline, ratio = interleaved(
            lambda: _seconds(lambda: table.scan().to_arrow()) * 1000,
            lambda: _seconds(lambda: single.scan().to_arrow()) * 1000,
            _ROUNDS,
        )
        what = f"a scan of {_COMMITS} commits' rows after maintenance, against a table of one file"
        return Result("lake_scan", what, "ms", ours, baseline, ratio, 1.2, "lower", {})

    def _table(self, name: str) -> Table:
        return open_table(self._catalog, f"bronze.{name}", _COLUMNS, "provider_created_at")

    def _commit(self, table: Table, rows: pa.Table) -> None:
        mark = Watermark(next(self._numbers), "stripe:evt_1").properties()
        commit(table, lambda transaction: stage_rows(transaction, _COLUMNS, rows, mark), lambda _: True)

    def _write(self, rows: pa.Table) -> None:
        pq.write_table(rows, f"{_BUCKET}/{next(self._numbers)}.parquet", filesystem=self._files, compression="zstd")


def events(rows: int) -> pa.Table:
    """Events of one day in bronze's columns: ids that no compression shortens, and the rest as it repeats."""
    ids = [hashlib.sha256(str(number).encode()).hexdigest()[:24] for number in range(rows)]
    given: Mapping[str, list[Any]] = {
        "event_id": [f"stripe:evt_{each}" for each in ids],
        "provider_event_id": [f"evt_{each}" for each in ids],
        "receipt_id": [f"{each}00000000" for each in ids],
        "payment_id": [f"stripe:pi_{each[:20]}" for each in ids],
        "provider_object_id": [f"pi_{each[:20]}" for each in ids],
        "customer_id": [f"cus_{each[:3]}" for each in ids],
        "card_fingerprint": [each[:4] for each in ids],
        "amount_cents": [100 + number % 9_900 for number in range(rows)],
        "provider_created_at": [_DAY + timedelta(milliseconds=number) for number in range(rows)],
        "processed_at": [_DAY + timedelta(milliseconds=number + 700) for number in range(rows)],
    }
    repeated = {pa.string(): "insufficient_funds", pa.int32(): 7, pa.int64(): 0, pa.bool_(): True, TIMESTAMP: _DAY}
    return pa.table(
        {
            column.name: pa.array(given.get(column.name) or [repeated[column.type]] * rows, column.type)
            for column in _COLUMNS
        }
    )


def _seconds(call: Any) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _keys(settings: LakeSettings) -> dict[str, str]:
    secret = settings.s3_secret_access_key
    return {
        "aws_access_key_id": settings.s3_access_key_id or "",
        "aws_secret_access_key": secret.get_secret_value() if secret else "",
        "region_name": settings.s3_region,
    }
