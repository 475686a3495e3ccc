"""Time and ids as parameters: the only place that asks the machine for either."""

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 24 * 3600


class Clock(Protocol):
    """Tells the time. A caller must not assume that `now` never goes back: only `monotonic` promises that."""

    def now(self) -> datetime:
        """The wall-clock time, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...


class Ids(Protocol):
    """Makes ids. A caller must not assume any order among them."""

    def new(self) -> str:
        """A fresh id: 32 lower-case hexadecimal digits."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The wall-clock time, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        return time.monotonic()


class SystemIds:
    """Random ids from the operating system's entropy."""

    def new(self) -> str:
        """A fresh id: 32 lower-case hexadecimal digits."""
        return os.urandom(16).hex()


@dataclass
class FrozenClock:
    """A clock that moves when it is told to; for tests and replays."""

    at: datetime

    def now(self) -> datetime:
        """The time it was set to."""
        return self.at

    def monotonic(self) -> float:
        """Seconds since 1970 of the time it was set to."""
        return self.at.timestamp()

    def advance(self, by: timedelta) -> None:
        """Move forward."""
        self.at += by


@dataclass
class SequentialIds:
    """Ids that count from one; for tests."""

    _next: "count[int]" = field(default_factory=lambda: count(1))

    def new(self) -> str:
        """The next number as 32 hexadecimal digits."""
        return f"{next(self._next):032x}"


def timestamp(moment: datetime) -> Timestamp:
    """A moment as Protobuf's Timestamp; the moment must know its time zone."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place on the wire; give it a time zone")
    # A third of the time of FromDatetime, and as exact: no float is involved.
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * _DAY_S + since.seconds, nanos=since.microseconds * 1000)
