"""Reads what a dbt run came to: what was found, and whether another try could end otherwise. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_AWAY: Final = (
    "connection refused",
    "failed to establish a new connection",
    "max retries exceeded",
    "server_starting_up",
    "server is still initializing",
    "no nodes available",
    "remote end closed connection",
    "timed out",
)
_FAILED: Final = frozenset({"fail", "error", "runtime error"})


@dataclass(frozen=True, slots=True)
class Found:
    """What went wrong: tests that failed, and models that could not be built, each with its words."""

    tests: Sequence[str]
    errors: Sequence[str]

    @property
    def is_away(self) -> bool:
        """Whether nothing was found wrong but an engine that did not answer: then another try may do."""
        return not self.tests and all(any(word in each.lower() for word in _AWAY) for each in self.errors)

    def __str__(self) -> str:
        return "; ".join([*self.tests, *self.errors]) or "dbt ended before it came to any model"


def found_in(results: Iterable[Mapping[str, Any]]) -> Found:
    """Of the `results` of run_results.json. What was skipped for what lies before it is not told again."""
    tests, errors = [], []
    for each in results:
        if each["status"] not in _FAILED:
            continue
        name = each["unique_id"].split(".", 1)[1]
        if each["status"] == "fail":
            tests.append(f"{name}: {each.get('failures') or 'some'} rows")
        else:
            errors.append(f"{name}: {_first_lines(each.get('message') or '')}")
    return Found(tests, errors)


def _first_lines(message: str) -> str:
    return " ".join(message.split())[:300]
