"""Ingests by name: what kind of source it is decides how."""

import time
from datetime import UTC, date, datetime

from mlops.pipelines.lib.appended import backfill_day, ingest_rows
from mlops.pipelines.lib.catalog import open_catalog, told_of_lake
from mlops.pipelines.lib.findings import ingest_findings
from mlops.pipelines.lib.lake import ROWS_AT_ONCE, IngestReport, Lake
from mlops.pipelines.lib.predictions import ingest_predictions, prediction_table
from mlops.pipelines.lib.rejected import open_rejected
from mlops.pipelines.lib.sources import ALL, FINDINGS, PREDICTIONS, SOURCES
from mlops.pipelines.settings import LakeSettings


class UnknownSourceError(Exception):
    """There is no such source; the message names those that there are."""


def lake_of(
    settings: LakeSettings,
    now: datetime | None = None,
    rows_at_once: int = ROWS_AT_ONCE,
    reject_limit: float | None = None,
) -> Lake:
    """The lake that the settings name; LakeUnavailableError, LakeSettingsError."""
    moment = now or datetime.fromtimestamp(time.time_ns() / 1e9, UTC)
    return Lake(open_catalog(settings), settings.postgresql(), moment, rows_at_once, reject_limit)


def ingest(
    source: str,
    settings: LakeSettings,
    *,
    now: datetime | None = None,
    rows_at_once: int = ROWS_AT_ONCE,
    reject_limit: float | None = None,
) -> IngestReport:
    """Bring what is new of a source, one of `sources.ALL`, to bronze.

    Raises what `ingest_rows` does, and UnknownSourceError.
    """
    lake = lake_of(settings, now, rows_at_once, reject_limit)
    with told_of_lake():
        open_rejected(lake.catalog)
        if source in SOURCES:
            return ingest_rows(source, lake)
        if source in FINDINGS:
            return ingest_findings(source, lake)
        if source == PREDICTIONS:
            prediction_table(lake.catalog)
            return ingest_predictions(lake, settings.kafka_config())
    raise UnknownSourceError(f"there is no source {source}: there are {', '.join(ALL)}")


def backfill(
    source: str, day: date, settings: LakeSettings, *, now: datetime | None = None, reject_limit: float | None = None
) -> IngestReport:
    """Replace a day of a table with what PostgreSQL has of it up to the watermark."""
    if source not in SOURCES:
        raise UnknownSourceError(f"{source} has no days to fill again: {', '.join(SOURCES)} have")
    with told_of_lake():
        return backfill_day(source, day, lake_of(settings, now, reject_limit=reject_limit))
