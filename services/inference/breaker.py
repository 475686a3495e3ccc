"""Keeps calls away from a neighbour that does not answer, until a probe finds that it does; pure but for the clock."""

from services.runtime.clock import Clock


class Breaker:
    """Opens after so many failures in a row. While it is open only probes may pass, one every `rest_seconds`."""

    def __init__(self, clock: Clock, *, failures: int, rest_seconds: float) -> None:
        self._now = clock.monotonic
        self._most = failures
        self._rest_seconds = rest_seconds
        self._failed = 0
        self._probe_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are kept away."""
        return self._probe_at is not None

    @property
    def seconds_to_probe(self) -> float | None:
        """How long until the next probe may pass; None while it is closed."""
        return None if self._probe_at is None else max(0.0, self._probe_at - self._now())

    def succeeded(self) -> bool:
        """A call or a probe was answered; True where that closed it."""
        was_open, self._failed, self._probe_at = self.is_open, 0, None
        return was_open

    def failed(self) -> bool:
        """A call or a probe was not; True where that opened it."""
        self._failed += 1
        if not self.is_open and self._failed < self._most:
            return False
        was_open, self._probe_at = self.is_open, self._now() + self._rest_seconds
        return not was_open
