"""Judges rows by the table in row_rules.yaml: which may enter bronze, and which rule stops each other; pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import yaml

RULES_FILE: Final = Path(__file__).with_name("row_rules.yaml")


class RowRulesError(Exception):
    """row_rules.yaml says what cannot be followed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many rows may break a rule: of a batch, before it is stopped; of a day, before what is made of it is."""

    share: float
    least_rows: int
    least_a_day: int

    def is_passed(self, rejected: int, rows: int) -> bool:
        """Whether so many of a batch are too many."""
        return rows >= self.least_rows and rejected > self.share * rows

    def is_passed_by_day(self, rejected: int, rows: int) -> bool:
        """Whether so many of a day are too many, however small its batches were."""
        return rejected >= self.least_a_day and rejected > self.share * rows


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule over one column; `fails` gives True for each row that breaks it, never null."""

    rule_id: str
    column: str
    fails: Callable[[pa.ChunkedArray, datetime], pa.ChunkedArray]


@dataclass(frozen=True, slots=True)
class RowRules:
    """The rules of one source, in the order they are asked, with the columns that have to be unique."""

    rules: Sequence[Rule]
    unique: Sequence[str]
    limit: Limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """Rows that may pass; and those that may not, with all rules that each breaks, in order."""

    kept: pa.Table
    rejected: pa.Table
    broken: Sequence[Sequence[str]]

    @property
    def counts(self) -> Mapping[str, int]:
        """Rejected rows by the first rule that each breaks, most first."""
        return dict(Counter(rules[0] for rules in self.broken).most_common())


def row_rules(source: str, file: Path = RULES_FILE) -> RowRules:
    """The rules of a source. RowRulesError where the file has none, or one that is not known."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        listed = document["sources"][source]["rules"]
        limit = Limit(
            share_of(document["sources"][source]["reject_limit"]),
            _number(document, "least_rows"),
            _number(document, "least_a_day"),
        )
        parsed = [rule for entry in listed if entry["rule"] != "unique" for rule in _rules(entry)]
        unique = [name for entry in listed if entry["rule"] == "unique" for name in entry["columns"]]
    except (KeyError, TypeError, ValueError) as error:
        told = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise RowRulesError(f"{file.name}, {source}: {told}") from error
    return RowRules(parsed, unique, limit)


def share_of(value: Any) -> float:
    """A reject_limit; ValueError where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(
            f"reject_limit is {value!r}, and has to be a share of a batch from 0 to 1, such as 0.05; 1 lets all pass"
        )
    return float(value)


def _number(document: Mapping[str, Any], name: str) -> int:
    value: object = document[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}, and has to be a number of rows, 1 or more")
    return value


def judge(rows: pa.Table, rules: RowRules, now: datetime, known: Mapping[str, pa.Array] | None = None) -> Verdict:
    """Part rows by the rules. `known` has, of each unique column, the values that are taken already.

    Of rows with the same key the first passes that breaks no other rule.
    """
    asked = [rule for rule in rules.rules if rule.column in rows.column_names]
    failures = {rule.rule_id: rule.fails(rows[rule.column], now) for rule in asked}
    for column in rules.unique:
        failures[f"unique.{column}"] = _repeated(rows[column], _any(failures, rows.num_rows), (known or {}).get(column))
    bad = _any(failures, rows.num_rows)
    rejected = rows.filter(bad)
    marks = {rule_id: failed.filter(bad).to_pylist() for rule_id, failed in failures.items()} if len(rejected) else {}
    broken = [[rule_id for rule_id, failed in marks.items() if failed[row]] for row in range(len(rejected))]
    return Verdict(rows.filter(pc.invert(bad)), rejected, broken)


def _any(failures: Mapping[str, pa.ChunkedArray], rows: int) -> pa.ChunkedArray:
    found = pa.chunked_array([pa.array([False]).take(pa.array([0] * rows, pa.int64()))], pa.bool_())
    for failed in failures.values():
        found = pc.or_(found, failed)
    return found


def _repeated(keys: pa.ChunkedArray, bad: pa.ChunkedArray, taken: pa.Array | None) -> pa.ChunkedArray:
    """Of rows that are good so far: whose key is taken, or stands at an earlier good row."""
    good = pa.table({"key": keys, "at": pa.array(range(len(keys)), pa.int64())}).filter(pc.invert(bad))
    first = good.group_by("key").aggregate([("at", "min")])["at_min"]
    later = pc.invert(pc.is_in(pa.array(range(len(keys)), pa.int64()), value_set=first.combine_chunks()))
    repeated = pc.and_(pa.chunked_array([later]), pc.invert(bad))
    if taken is not None and len(taken):
        repeated = pc.or_(repeated, pc.and_(pc.is_in(keys, value_set=taken), pc.invert(bad)))
    return repeated


def _rules(entry: Mapping[str, Any]) -> Sequence[Rule]:
    kind = str(entry["rule"])
    fails = _KINDS[kind](entry)
    return [Rule(f"{kind}.{column}", column, fails) for column in entry["columns"]]


Fails = Callable[[pa.ChunkedArray, datetime], pa.ChunkedArray]


def _required(_: Mapping[str, Any]) -> Fails:
    def fails(values: pa.ChunkedArray, _now: datetime) -> pa.ChunkedArray:
        if pa.types.is_string(values.type):
            return pc.fill_null(pc.equal(values, ""), fill_value=True)
        return pc.is_null(values)

    return fails


def _not_negative(_: Mapping[str, Any]) -> Fails:
    return lambda values, _now: pc.fill_null(pc.less(values, 0), fill_value=False)


def _matches(entry: Mapping[str, Any]) -> Fails:
    pattern = f"^(?:{entry['pattern']})$"
    return lambda values, _now: pc.fill_null(
        pc.invert(pc.match_substring_regex(values, pattern=pattern)), fill_value=False
    )


def _not_future(entry: Mapping[str, Any]) -> Fails:
    tolerance = timedelta(seconds=int(entry["seconds"]))
    return lambda values, now: pc.fill_null(
        pc.greater(values, pa.scalar(now + tolerance, values.type)), fill_value=False
    )


def _not_before(entry: Mapping[str, Any]) -> Fails:
    day = date.fromisoformat(str(entry["day"]))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return lambda values, _now: pc.fill_null(pc.less(values, pa.scalar(start, values.type)), fill_value=False)


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Fails]]] = {
    "required": _required,
    "not_negative": _not_negative,
    "matches": _matches,
    "not_future": _not_future,
    "not_before": _not_before,
}
