"""The command line of `python -m mlops.pipelines`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

import psycopg

from mlops.pipelines.lib.appended import adopt, forget
from mlops.pipelines.lib.catalog import LakeUnavailableError, open_catalog
from mlops.pipelines.lib.columns import UnknownTypeError
from mlops.pipelines.lib.database import IngestRunningError
from mlops.pipelines.lib.ingest import UnknownSourceError, backfill, ingest, lake_of
from mlops.pipelines.lib.lake import ROWS_AT_ONCE, IngestReport, OtherDatabaseError, TooManyRejectedError
from mlops.pipelines.lib.left_behind import left_behind, what_to_do
from mlops.pipelines.lib.load import HistoryError, load_events
from mlops.pipelines.lib.maintenance import KEEP_HOURS, maintain
from mlops.pipelines.lib.prediction_log import TopicShortenedError
from mlops.pipelines.lib.predictions import adopt_topic
from mlops.pipelines.lib.rejected import told_counts
from mlops.pipelines.lib.row_rules import RowRulesError, share_of
from mlops.pipelines.lib.schema import SchemaConflictError
from mlops.pipelines.lib.sources import ALL, PREDICTIONS, SOURCES
from mlops.pipelines.lib.status import states
from mlops.pipelines.lib.tables import SupersededError
from mlops.pipelines.settings import LakeSettings, LakeSettingsError, lake_settings

FAILED: Final = 1
_FAILURES: Final = (
    LakeSettingsError, LakeUnavailableError, UnknownSourceError, UnknownTypeError, IngestRunningError,
    OtherDatabaseError, TooManyRejectedError, HistoryError, TopicShortenedError, RowRulesError, SchemaConflictError,
    SupersededError,
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.pipelines", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True)
    bring = commands.add_parser("ingest", help="bring what is new to bronze")
    bring.add_argument("sources", nargs="*", metavar="source", help=f"default: all ({', '.join(ALL)})")
    bring.add_argument("--rows-at-once", type=int, default=ROWS_AT_ONCE, help="rows a commit (default: %(default)s)")
    again = commands.add_parser("backfill", help="replace days with what PostgreSQL has of them up to the watermark")
    again.add_argument("source", choices=SOURCES)
    again.add_argument("--day", type=date.fromisoformat, action="append", required=True, help="YYYY-MM-DD; repeatable")
    tidy = commands.add_parser("maintain", help="compact tables, expire snapshots, remove files that nobody owns")
    tidy.add_argument("tables", nargs="*", metavar="table", help="schema.table (default: all of the lake)")
    tidy.add_argument("--keep-hours", type=int, default=KEEP_HOURS, help="of history (default: %(default)s)")
    commands.add_parser("status", help="how far each table of bronze is, and how large")
    own = commands.add_parser("adopt", help="go on with another database or topic that continues the old one")
    own.add_argument("source", choices=(*SOURCES, PREDICTIONS))
    anew = commands.add_parser("rebuild", help="empty a table of bronze and bring everything again")
    anew.add_argument("source", choices=SOURCES)
    for judging in (bring, again, anew):
        judging.add_argument(
            "--reject-limit", type=_share, help="share of a batch or day that may break rules (row_rules.yaml's)"
        )
    load = commands.add_parser("load", help="store a history's events in PostgreSQL, as the role tidegate_writer")
    load.add_argument("--history", type=Path, required=True, metavar="FOLDER")
    return root


def _share(text: str) -> float:
    try:
        return share_of(float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1, such as 0.05") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked; 1 where it cannot be done, with a line that says what to do."""
    options = parser().parse_args(argv)
    try:
        return int(_COMMANDS[options.command](options))
    except _FAILURES as error:
        sys.stderr.write(f"{error}\n")
        return FAILED


def _ingest(options: argparse.Namespace) -> int:
    settings, failed = lake_settings(), 0
    for source in options.sources or ALL:
        try:
            report = ingest(source, settings, rows_at_once=options.rows_at_once, reject_limit=options.reject_limit)
        except _FAILURES as error:
            failed = FAILED
            sys.stderr.write(f"{source}: {error}\n")
        else:
            _tell(report)
    return failed


def _backfill(options: argparse.Namespace) -> int:
    settings = lake_settings()
    for day in options.day:
        report = backfill(options.source, day, settings, reject_limit=options.reject_limit)
        _say(f"{options.source} {day}: {report.rows:,} rows in place{_told_rejected(report)}")
    _tell_left_behind(options.source, settings)
    return 0


def _maintain(options: argparse.Namespace) -> int:
    for figures in maintain(lake_settings(), options.tables, options.keep_hours):
        _say(str(figures))
    return 0


def _status(_: argparse.Namespace) -> int:
    for state in states(open_catalog(lake_settings())):
        _say(str(state))
    return 0


def _adopt(options: argparse.Namespace) -> int:
    settings = lake_settings()
    if options.source == PREDICTIONS:
        _say(f"{PREDICTIONS}: goes on at {adopt_topic(open_catalog(settings), settings.kafka_config())}")
    else:
        _say(f"{options.source}: goes on with database {adopt(options.source, lake_of(settings))}")
    return 0


def _rebuild(options: argparse.Namespace) -> int:
    settings: LakeSettings = lake_settings()
    forget(options.source, lake_of(settings))
    _tell(ingest(options.source, settings, reject_limit=options.reject_limit))
    _tell_left_behind(options.source, settings)
    return 0


def _tell_left_behind(source: str, settings: LakeSettings) -> None:
    """Of what was taken out of bronze, and stands in what was made of it. Without Trino nothing was made of it."""
    if settings.trino_url is not None and (days := left_behind(SOURCES[source], settings)):
        _say(what_to_do(SOURCES[source], days))


def _load(options: argparse.Namespace) -> int:
    try:
        for loaded in load_events(options.history, lake_settings().postgresql()):
            sys.stderr.write(f"\r{loaded.rows:,} rows of the history, {loaded.stored:,} of them new")
            sys.stderr.flush()
    except psycopg.Error as error:
        first_line = str(error).strip().partition("\n")[0]
        raise LakeUnavailableError(
            f"PostgreSQL: {first_line}; TIDEGATE_DATABASE_URL has to be that of tidegate_writer for this"
        ) from error
    sys.stderr.write("\n")
    return 0


_COMMANDS: Final = {
    "ingest": _ingest,
    "backfill": _backfill,
    "maintain": _maintain,
    "status": _status,
    "adopt": _adopt,
    "rebuild": _rebuild,
    "load": _load,
}


def _tell(report: IngestReport) -> None:
    moved = f"{report.watermark_from or 'the beginning'} → {report.watermark_to or 'the beginning'}"
    what = f"{report.rows:,} rows in {report.commits} commit{'s' * (report.commits != 1)}"
    _say(f"{report.source}: {what if report.commits else 'nothing new'}{_told_rejected(report)}; {moved}")


def _told_rejected(report: IngestReport) -> str:
    return f", {report.rejected:,} rejected ({told_counts(report.rejected_by_rule)})" if report.rejected else ""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
