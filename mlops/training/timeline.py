"""Look back in time over a table of events: sums over windows of one entity, never past the moment asked about."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_SPAN_SECONDS = 1 << 36
"""Wider than any history and window together (2,000 years), so that one entity's keys never reach the next one's."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events of many entities in the order of entity, then time, then row: what a question about the past is asked of.

    A position is an index into this order. A span `[start, end)` holds events of one entity alone.
    """

    rows: Ints
    """The row of the table at each position."""
    keys: Ints
    """Entity and time in one ascending number."""
    codes: Ints
    """The entity of each row of the whole table, as a number from 0."""
    seconds: Ints
    """The time of each row of the whole table, in seconds from its first one."""
    first: Ints
    """The position at which the entity of each row of the whole table begins."""
    order: Ints
    """All rows of the table by entity and time: asked in this order, neighbours have their answers side by side."""

    @classmethod
    def over(cls, entities: Ints, seconds: Ints, only: Bools | None = None) -> Self:
        """Return the timeline of the table's rows (of those in `only`); rows are in order of arrival."""
        codes = np.unique(entities, return_inverse=True)[1].astype(np.int64)
        times = seconds.astype(np.int64) - int(seconds.min())
        every = codes * _SPAN_SECONDS + times
        order = np.argsort(every, kind="stable")
        rows = order if only is None else order[only[order]]
        keys = every[rows]
        starts = np.searchsorted(keys, np.arange(int(codes.max()) + 1) * _SPAN_SECONDS, side="left")
        return cls(rows, keys, codes, times, starts[codes], order)

    def known(self, delay_seconds: int) -> Ints:
        """Return for each row the end of what its entity had done at least `delay_seconds` before it."""
        asked = self.codes * _SPAN_SECONDS + self.seconds - delay_seconds
        ends = np.empty(len(asked), dtype=np.int64)
        ends[self.order] = np.searchsorted(self.keys, asked[self.order], side="right")
        return np.maximum(ends, self.first)

    def before(self) -> Ints:
        """Return for each row the end of what its entity did before it; of one second, rows before it count.

        Only for a timeline over the whole table.
        """
        place = np.empty(len(self.rows), dtype=np.int64)
        place[self.rows] = np.arange(len(self.rows))
        return place

    def since(self, seconds_back: int) -> Ints:
        """Return for each row the start of the window `(time - seconds_back, …)` of its entity."""
        return self.known(seconds_back)

    def ordered(self, values: npt.NDArray[np.generic]) -> Floats:
        """Return a column of the table in the timeline's order."""
        return np.asarray(values[self.rows], dtype=np.float64)

    def total(self, values: npt.NDArray[np.generic], start: Ints, end: Ints) -> Floats:
        """Return the sum of a column over each row's span; an empty span sums to 0."""
        running = np.concatenate(([0.0], np.cumsum(self.ordered(values))))
        sums: Floats = running[np.maximum(end, start)] - running[start]
        return sums

    def last_position(self, flags: Bools, end: Ints) -> Ints:
        """Return the position of the last flagged event of the entity before each row's `end`, or -1."""
        flagged = np.where(flags[self.rows], np.arange(len(self.rows)), -1)
        latest = np.concatenate(([-1], np.maximum.accumulate(flagged)))[end]
        return np.where(latest >= self.first, latest, -1)

    def seconds_since(self, position: Ints) -> Floats:
        """Return how long before each row the event at `position` was, NaN for position -1."""
        then = self.keys[np.maximum(position, 0)] % _SPAN_SECONDS if len(self.keys) else np.zeros(len(position))
        return np.where(position >= 0, self.seconds - then, np.nan).astype(np.float64)


def ratio(numerator: Floats, denominator: Floats, otherwise: float = 0.0) -> Floats:
    """Return the quotient, or `otherwise` where there is nothing to divide by."""
    quotient = np.full(len(numerator), otherwise)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
