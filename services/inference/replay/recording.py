"""Keeps a replay with the candidate in the registry, where a promotion looks for it."""

import json
import tempfile
from pathlib import Path
from typing import Final

from mlops.registry.replays import Replayed
from mlops.registry.settings import registry_from
from services.inference.replay.page import page
from services.inference.replay.report import Report, SideNote, as_json
from services.inference.serving import QuestionName

JSON_FILE: Final = "replay.json"
PAGE_FILE: Final = "replay.html"


class UnrecordableError(Exception):
    """The replay compares what is not registered; the message says what to do."""


def write_json(report: Report, file: Path) -> None:
    """All figures."""
    file.write_text(json.dumps(as_json(report), indent=1) + "\n", encoding="utf-8")


def write_page(report: Report, file: Path) -> None:
    """The page that reviewers read."""
    file.write_text(page(report), encoding="utf-8")


def compared(question: QuestionName, before: SideNote, after: SideNote) -> tuple[str, str]:
    """The two versions that differ. UnrecordableError where they are not registered, or not all that differs."""
    sides = before.origin(question), after.origin(question)
    versions = [side.version for side in sides if side is not None and side.registered]
    if len(versions) < len(sides):
        raise UnrecordableError("only a replay of two registered versions is recorded: name their numbers or aliases")
    if versions[0] == versions[1]:
        raise UnrecordableError(f"version {versions[0]} is compared with itself: there is nothing to record")
    if before.tables_version != after.tables_version:
        raise UnrecordableError("the rule tables differ too: a record tells of versions alone")
    return versions[0], versions[1]


def found(report: Report, by: str) -> Replayed:
    """What a promotion looks at. UnrecordableError."""
    diff = report.diff.questions.get(report.question)
    return Replayed(
        against=compared(report.question, report.before, report.after)[0],
        span=report.span,
        decisions=diff.by_models if diff else 0,
        flips=diff.by_models_flipped if diff else 0,
        at_ms=int(report.made_at.timestamp() * 1000),
        by=by,
    )


def record(report: Report, by: str) -> str:
    """Keep page and figures with the candidate's run, and say so. UnrecordableError, RegistryError."""
    replayed = found(report, by)
    _, candidate = compared(report.question, report.before, report.after)
    registry = registry_from(None)
    version = registry.version(report.question, candidate)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_json(report, folder / JSON_FILE)
        write_page(report, folder / PAGE_FILE)
        registry.record_replay(version, replayed, folder)
    return f"recorded with {report.question} version {candidate}, against version {replayed.against}"
