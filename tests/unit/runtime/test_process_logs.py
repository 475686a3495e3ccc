"""Tests on real engines fail where a process of ours has logged an error that nobody expects."""

import json
from pathlib import Path

import pytest

from tests.process_logs import assert_no_unexpected_errors, unexpected_errors

POISON = {"component": "services.orchestrator.planner", "event": "message.poison", "level": "error"}
# As asyncio tells of an exception in a callback, by our own formatter.
CALLBACK = {"event": "Exception in callback Backlog.leave", "level": "error", "exception": "KeyError: 'lane'"}
HARMLESS = [
    {"component": "services.orchestrator.bridge", "event": "broker.unavailable", "level": "warning"},
    {"event": "FAIL [thrd:127.0.0.1]: Connect to ipv4#127.0.0.1 failed", "level": "error"},
    {"msg": "service failures", "component": "history", "level": "error"},
    7,
]


def log(folder: Path, *lines: object) -> Path:
    path = folder / "process.log"
    told = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(told))
    return path


def test_an_error_is_unexpected_unless_its_event_is_listed(tmp_path: Path) -> None:
    path = log(tmp_path, POISON, *HARMLESS)
    assert unexpected_errors(path, ()) == [json.dumps(POISON)]
    assert unexpected_errors(path, {"message.poison"}) == []


@pytest.mark.parametrize("line", [CALLBACK, "Traceback (most recent call last):"])
def test_an_exception_that_nobody_caught_fails_a_test(tmp_path: Path, line: object) -> None:
    path = log(tmp_path, *HARMLESS, line, '{"event": "cut off by a kil')
    with pytest.raises(AssertionError, match=r"1 unexpected errors in the logs, such as:\nprocess.log"):
        assert_no_unexpected_errors([path], {"message.poison"})
