"""Finds what should never stand in the logs of our processes: errors that no test expects, and tracebacks."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path

_TRACEBACK = "Traceback (most recent call last)"
_MOST_SHOWN = 5


def assert_no_unexpected_errors(logs: Iterable[Path], expected: Collection[str]) -> None:
    """Fail with the lines that are neither expected, by the names of their events, nor harmless."""
    found = [f"{log.name}: {line}" for log in sorted(logs) for line in unexpected_errors(log, expected)]
    assert not found, "\n".join([f"{len(found)} unexpected errors in the logs, such as:", *found[:_MOST_SHOWN]])


def unexpected_errors(log: Path, expected: Collection[str]) -> list[str]:
    """Lines about a defect; what libraries and engines call an error without raising anything is not ours to judge."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if _is_unexpected(line, expected)]


def _is_unexpected(line: str, expected: Collection[str]) -> bool:
    try:
        told = json.loads(line)
    except ValueError:  # a library's own line, or one that a kill cut off
        return _TRACEBACK in line
    if not isinstance(told, dict) or "event" not in told:
        return False
    is_ours = "component" in told and told.get("level") in ("error", "critical")
    return (is_ours or "exception" in told) and told["event"] not in expected
