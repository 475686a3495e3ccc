"""How long a neighbour has been away, and whether its return is still worth waiting for; pure."""

from services.runtime.clock import Clock


class Outage:
    """One neighbour's absence. Waited for up to a bound; beyond it, events go on without the neighbour.

    Asked from the probes' thread as well: each answer rests on one read of what was noted.
    """

    def __init__(self, clock: Clock, *, patience_seconds: float) -> None:
        self._clock = clock
        self._patience_seconds = patience_seconds
        # Since when, on the clock's monotonic scale, and in which words; None while the neighbour is there.
        self._noted: tuple[float, str] | None = None

    def note(self, words: str) -> None:
        """The neighbour is away: since now, or since it was first noted."""
        since = self._noted[0] if self._noted is not None else self._clock.monotonic()
        self._noted = (since, words)

    def end(self) -> None:
        """The neighbour is back."""
        self._noted = None

    def awaited(self) -> str | None:
        """Says what is wrong while its end is waited for; None once it is over, or has lasted too long."""
        noted = self._noted
        return noted[1] if noted is not None and not self._is_long(noted[0]) else None

    def is_given_up(self) -> bool:
        """Whether it has lasted longer than is worth waiting."""
        noted = self._noted
        return noted is not None and self._is_long(noted[0])

    def _is_long(self, since: float) -> bool:
        return self._clock.monotonic() - since >= self._patience_seconds
