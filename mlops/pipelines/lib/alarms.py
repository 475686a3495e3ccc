"""Asks PostgreSQL for findings of the watch that are alerts, and says when a training that one started is due again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import dagster as dg
import psycopg
from psycopg import sql

from mlops.pipelines.lib.postgresql import reading

TABLES: Final = ("feature_drift", "score_drift", "model_performance")
"""Not skew: a model that is told wrong things is not mended by learning."""
REST_DAYS: Final = 7
"""Findings of the last days are made anew every night: an alert that stands is no reason to train each time."""
ALARM: Final = "tidegate/alarm"
ALARM_AT: Final = "tidegate/alarm-at"
"""Tags of a training that an alarm started: what it was, and when it was found."""
AGAIN_AFTER: Final = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""A training that failed is tried again so long after it ended, and no more than so many times."""
_QUERY: Final = """
    SELECT computed_at::text, model_name || ' ' || model_version || ' of ' || day::text
    FROM {table} WHERE state = 'alert' AND computed_at > {after}::timestamptz + {rest}
    ORDER BY computed_at DESC LIMIT 1
"""
_EVER: Final = "1970-01-01T00:00:00Z"


class Alarm(NamedTuple):
    """The newest alert: when it was found, and of what."""

    at: str
    what: str


def newest_alarm(database_url: str, after: str | None) -> Alarm | None:
    """The newest finding later than REST_DAYS after `after`; None where there is none. LakeUnavailableError."""
    with reading(database_url) as connection:
        found = [_newest(connection, table, after or _EVER) for table in TABLES]
    return max((each for each in found if each is not None), default=None)


def _newest(connection: psycopg.Connection, table: str, after: str) -> Alarm | None:
    query = sql.SQL(_QUERY).format(
        table=sql.Identifier("tidegate", table), after=sql.Literal(after), rest=sql.Literal(timedelta(days=REST_DAYS))
    )
    row = connection.execute(query).fetchone()
    return Alarm(row[0], f"{table}: {row[1]}") if row else None


def is_due_again(trainings: Sequence[dg.RunRecord], alarm_at: str, now: datetime) -> bool:
    """Whether nothing came of an alarm: of the trainings, newest first, all since it started one have failed; pure.

    One that anybody started and that succeeded has answered it. One that was canceled was somebody's decision.
    """
    own = [place for place, each in enumerate(trainings) if each.dagster_run.tags.get(ALARM_AT) == alarm_at]
    if not 0 < len(own) <= len(AGAIN_AFTER):
        return False
    since = trainings[: own[-1] + 1]
    failed = all(each.dagster_run.status is dg.DagsterRunStatus.FAILURE for each in since)
    return failed and now - since[0].update_timestamp >= AGAIN_AFTER[len(own) - 1]
