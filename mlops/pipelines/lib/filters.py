"""Filters over columns of Iceberg tables, under names that a type checker can follow."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final, cast

from pyiceberg.expressions import And, BooleanExpression, EqualTo, GreaterThanOrEqual, LessThan, LessThanOrEqual

_Compare = Callable[[str, str], BooleanExpression]

# Their constructors take a column's name and a value; their hints, which pydantic makes, say otherwise.
equal: Final = cast("_Compare", EqualTo)
_at_least: Final = cast("_Compare", GreaterThanOrEqual)
_at_most: Final = cast("_Compare", LessThanOrEqual)
_below: Final = cast("_Compare", LessThan)


def between(column: str, first: datetime, last: datetime) -> BooleanExpression:
    """A timestamp from one moment to another, both included."""
    return And(_at_least(column, first.isoformat()), _at_most(column, last.isoformat()))


def of_day(column: str, day: date) -> BooleanExpression:
    """A timestamp that lies within a day, UTC."""
    after = day + timedelta(days=1)
    return And(_at_least(column, f"{day}T00:00:00+00:00"), _below(column, f"{after}T00:00:00+00:00"))
