"""Keeps floods out of the log: some lines per window, then only their number."""

from dataclasses import dataclass

from services.runtime.clock import Clock


@dataclass(slots=True)
class _Window:
    ends_at: float
    told: int = 0
    untold: int = 0


class Throttle:
    """Admits up to `burst` lines of a kind per window. Anybody can cause a rejection, nobody should fill a disk."""

    def __init__(self, clock: Clock, *, burst: int = 20, window_seconds: float = 10.0) -> None:
        self._clock = clock
        self._burst = burst
        self._window_seconds = window_seconds
        self._windows: dict[str, _Window] = {}

    def admit(self, kind: str) -> int | None:
        """How many lines of this kind were left out since the last one admitted; None to leave this one out too.

        `kind` must come from a closed list.
        """
        now = self._clock.monotonic()
        window = self._windows.get(kind)
        untold = 0
        if window is None or now >= window.ends_at:
            untold = window.untold if window is not None else 0
            window = self._windows[kind] = _Window(now + self._window_seconds)
        if window.told >= self._burst:
            window.untold += 1
            return None
        window.told += 1
        return untold
