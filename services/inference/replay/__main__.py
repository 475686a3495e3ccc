"""Replays the past through two versions of a model, or two sets of rules: `python -m services.inference.replay`."""

import argparse
import getpass
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from mlops.commit import commit_of
from mlops.registry.ports import RegistryError
from services.inference.adapters.mlflow_registry import MlflowRegistry
from services.inference.replay import history
from services.inference.replay.diff import Labels, difference
from services.inference.replay.past import Past, Told, Window
from services.inference.replay.recording import UnrecordableError, compared, record, write_json, write_page
from services.inference.replay.report import Report
from services.inference.replay.sides import Side, SideError, Sides
from services.inference.replay.stream import Stream
from services.inference.replay.summary import summary
from services.inference.serving import CHALLENGER, CHAMPION, QUESTIONS
from services.inference.settings import InferenceSettings
from services.inference.tables import DECLINE_RULES, NETWORK_RULES, RuleTableError, read_rule_tables
from services.runtime.clock import SystemClock
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.registry import RegistrySchemaIds
from services.runtime.settings import KafkaSettings, RegistrySettings, read_settings

FAILED: Final = 2
_MLFLOW_TIMEOUT_SECONDS: Final = 20.0
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(2200, 1, 1, tzinfo=UTC)
_SIDES: Final = 2
_FAILURES: Final = (
    SideError,
    history.HistoryError,
    RuleTableError,
    UnrecordableError,
    RegistryError,
    NeighbourUnavailableError,
    DeployStepMissingError,
    OSError,
)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m services.inference.replay", description=__doc__)
    root.add_argument("question", choices=QUESTIONS, help="whose versions, or rules, differ")
    root.add_argument(
        "--versions",
        nargs=_SIDES,
        default=[CHAMPION, CHALLENGER],
        metavar=("BEFORE", "AFTER"),
        help="each a number or alias of the registry, the folder of an artifact, or `rules` (default: %(default)s)",
    )
    for kind, file in (("decline", DECLINE_RULES), ("network", NETWORK_RULES)):
        root.add_argument(
            f"--{kind}-rules",
            nargs="+",
            type=Path,
            default=[file],
            metavar="FILE",
            help="one rule table for both sides, or one for each (default: the project's own)",
        )
    root.add_argument(
        "--since", type=_moment, default=_BEGINNING, help="first arrival, ISO 8601, UTC (default: the first)"
    )
    root.add_argument("--until", type=_moment, default=_END, help="arrivals before this (default: all)")
    root.add_argument("--history", type=Path, help="a history's folder (default: what Kafka has)")
    root.add_argument("--json", type=Path, help="write all figures here")
    root.add_argument("--html", type=Path, help="write a page for reviewers here")
    root.add_argument("--record", action="store_true", help="keep both with AFTER's run, for its promotion")
    root.add_argument("--by", default=getpass.getuser(), help="who asks, for the record (default: you)")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Replay, write what was asked for and print the summary; 2 where it cannot be done."""
    options = parser().parse_args(argv)
    try:
        for line in _run(options):
            sys.stdout.write(line + "\n")
    except _FAILURES as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


def _run(options: argparse.Namespace) -> Iterator[str]:
    report = _replayed(options)
    # Printed last, since who reads the first lines alone (`| head`) ends it; and even where a file cannot be written.
    try:
        recorded = _write(report, options)
    finally:
        yield from summary(report)
    yield from recorded


def _write(report: Report, options: argparse.Namespace) -> Sequence[str]:
    """Write what was asked for; a line where it was recorded."""
    if options.json:
        write_json(report, options.json)
    if options.html:
        write_page(report, options.html)
    return [record(report, options.by)] if options.record else []


class Source(NamedTuple):
    """Where the past comes from."""

    told: Iterable[Told]
    described: str
    labels: Labels | None
    stream: Stream | None = None


def _replayed(options: argparse.Namespace) -> Report:
    clock, started = SystemClock(), time.monotonic()
    before, after = _sides(options)
    if options.record:
        compared(options.question, before.note, after.note)
    window = Window(_microseconds(options.since), _microseconds(options.until))
    past = Past(window, lambda names: before.serving.looks_up(names) or after.serving.looks_up(names))
    with ExitStack() as closing:
        source = _source(options.history, closing)
        diff = difference(past.questions(source.told), before.serving, after.serving, source.labels)
    return Report(
        question=options.question,
        before=before.note,
        after=after.note,
        window=window,
        source=source.described,
        counts=past.counts,
        unreadable=source.stream.unreadable if source.stream else 0,
        diff=diff,
        code_version=commit_of("services", "workflows", "mlops"),
        made_at=clock.now(),
        seconds=time.monotonic() - started,
    )


def _sides(options: argparse.Namespace) -> Sequence[Side]:
    settings = InferenceSettings()
    versions = None
    if settings.mlflow_url is not None:
        versions = MlflowRegistry(
            settings.mlflow_url, auth=settings.mlflow_credentials, timeout_seconds=_MLFLOW_TIMEOUT_SECONDS
        )
    try:
        sides = Sides(options.question, versions)
        networks, declines = _each(options.network_rules), _each(options.decline_rules)
        return [
            sides.side(spec, read_rule_tables(*tables))
            for spec, *tables in zip(options.versions, networks, declines, strict=True)
        ]
    finally:
        if versions is not None:
            versions.close()


def _each(files: Sequence[Path]) -> Sequence[Path]:
    """A file for each side."""
    if len(files) > _SIDES:
        raise SideError(f"{len(files)} rule tables of one kind; there are two sides")
    return [files[0], files[-1]]


def _source(folder: Path | None, closing: ExitStack) -> Source:
    if folder is not None:
        described = f"history {folder}, SHA-256 {history.fingerprint(folder)}"
        return Source(history.events(folder), described, history.labels(folder))
    ids = RegistrySchemaIds(read_settings(RegistrySettings))
    closing.callback(ids.close)
    stream = Stream(read_settings(KafkaSettings).client_config(), ids)
    return Source(stream.told(), stream.described, None, stream)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _microseconds(moment: datetime) -> int:
    return (moment - _BEGINNING) // timedelta(microseconds=1)


if __name__ == "__main__":
    sys.exit(main())
