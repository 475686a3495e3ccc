"""Sliding windows over what happened, in columns: exact lists of events, and counts by hour.

A window of a length ends at the moment asked about, or `delay_us` before it, and is closed on the right: `(end -
length, end]`. Times are microseconds since 1970 and ascend; of one moment, what arrived later stands later. Nothing
here changes in place.
"""

from array import array
from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple, TypeAlias

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3600 * SECOND_US
DAY_US: Final = 24 * HOUR_US

# Array type codes: signed and unsigned 64 bits, and the 32 bits of hours and of counts by hour.
Times: TypeAlias = "array[int]"
Keys: TypeAlias = "array[int]"
SIGNED: Final = "q"
UNSIGNED: Final = "Q"
HOURS: Final = "i"
COUNTS: Final = "I"


def span(times: Times, at_us: int, length_us: int, delay_us: int = 0) -> tuple[int, int]:
    """The positions `[start, end)` of what lies in the window that ends `delay_us` before a moment."""
    end_us = at_us - delay_us
    return bisect_right(times, end_us - length_us), bisect_right(times, end_us)


def inserted(column: "array[int]", position: int, value: int) -> "array[int]":
    """The column with a value more."""
    longer = column[:]
    longer.insert(position, value)
    return longer


def replaced(column: "array[int]", position: int, value: int) -> "array[int]":
    """The column with another value in one place."""
    changed = column[:]
    changed[position] = value
    return changed


class Marks(NamedTuple):
    """Moments, each with a key that makes it one of its kind and a whole number."""

    times: Times
    keys: Keys
    values: "array[int]"

    @staticmethod
    def none() -> "Marks":
        """No mark yet."""
        return Marks(array(SIGNED), array(UNSIGNED), array(SIGNED))

    def marked(self, time_us: int, key: int, value: int) -> "Marks":
        """With one mark more; itself where the key is known."""
        if key in self.keys:
            return self
        position = bisect_right(self.times, time_us)
        return Marks(
            inserted(self.times, position, time_us),
            inserted(self.keys, position, key),
            inserted(self.values, position, value),
        )

    def renewed(self, time_us: int, key: int, value: int) -> "Marks":
        """With this mark in the place of an older one of its key; itself where the known one is as new.

        So the newest of a key stays in whatever order they come, and whether older ones are forgotten or never were.
        """
        if key not in self.keys:
            return self.marked(time_us, key, value)
        known = self.keys.index(key)
        if (self.times[known], self.values[known]) >= (time_us, value):
            return self
        rest = Marks(*(column[:known] + column[known + 1 :] for column in self))
        return rest.marked(time_us, key, value)

    def without_first(self, count: int) -> "Marks":
        """Without the oldest ones."""
        return Marks(self.times[count:], self.keys[count:], self.values[count:])


class HourCounts(NamedTuple):
    """Counts of several kinds by hour since 1970, as running totals, so that a window costs two look-ups."""

    # Hours in which anything happened, ascending.
    hours: "array[int]"
    # By kind: all up to and including the hour.
    totals: tuple["array[int]", ...]

    @staticmethod
    def none(kinds: int) -> "HourCounts":
        """Nothing counted yet."""
        return HourCounts(array(HOURS), tuple(array(COUNTS) for _ in range(kinds)))

    def counted(self, hour: int, kinds: tuple[int, ...]) -> "HourCounts":
        """With one more of each of these kinds; an hour that comes late is put right too."""
        position = bisect_left(self.hours, hour)
        hours, totals = self.hours, list(self.totals)
        if position == len(hours) or hours[position] != hour:
            hours = inserted(hours, position, hour)
            totals = [inserted(each, position, each[position - 1] if position else 0) for each in totals]
        for kind in kinds:
            column = totals[kind][:]
            for later in range(position, len(column)):
                column[later] += 1
            totals[kind] = column
        return HourCounts(hours, tuple(totals))

    def between(self, kind: int, start: int, end: int) -> int:
        """How many in the hours at positions `[start, end)`."""
        column = self.totals[kind]
        if end <= start:
            return 0
        return column[end - 1] - column[start - 1] if start else column[end - 1]

    def after(self, hour: int) -> "HourCounts":
        """Without this hour and all before it."""
        position = bisect_right(self.hours, hour)
        if not position:
            return self
        totals = (_since(each, position) for each in self.totals)
        return HourCounts(self.hours[position:], tuple(totals))


def _since(totals: "array[int]", position: int) -> "array[int]":
    """The totals from a position on, of what was counted from there on."""
    before = totals[position - 1]
    return array(COUNTS, [total - before for total in totals[position:]])
