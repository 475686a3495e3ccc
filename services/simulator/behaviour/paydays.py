"""When income arrives: the moments at which a wallet fills."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

DAY_SECONDS = 86400
_FRIDAY = 4
# Days from one income to the next, about.
PERIOD_DAYS = {"weekly": 7.0, "biweekly": 14.0, "semimonthly": 15.2, "monthly": 30.4}


def paydays(rhythm: str, anchor: int, start: int, end: int, local_hour: float, offset_hours: float) -> list[int]:
    """Seconds since 1970 of each income between two moments.

    `anchor`: the day of the month (1 to 31, cut to its length), or for weekly rhythms a count of days that starts them.
    """
    first = datetime.fromtimestamp(start, UTC).date()
    last = datetime.fromtimestamp(end, UTC).date()
    by = _by_week if rhythm.endswith("weekly") else _by_month
    shift = int((local_hour - offset_hours) * 3600)
    return [
        int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + shift
        for day in by(rhythm, anchor, first, last)
    ]


def _by_week(rhythm: str, anchor: int, first: date, last: date) -> Iterator[date]:
    step = int(PERIOD_DAYS[rhythm])
    day = first + timedelta(days=(anchor - first.toordinal()) % step)
    while day <= last:
        yield _working_day(day)
        day += timedelta(days=step)


def _by_month(rhythm: str, anchor: int, first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    anchors = (min(anchor, 15), min(anchor, 15) + 15) if rhythm == "semimonthly" else (anchor,)
    while month <= last:
        length = monthrange(month.year, month.month)[1]
        for wanted in anchors:
            yield _working_day(month.replace(day=min(wanted, length)))
        month = (month + timedelta(days=31)).replace(day=1)


def _working_day(day: date) -> date:
    return day - timedelta(days=max(0, day.weekday() - _FRIDAY))
