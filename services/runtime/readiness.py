"""What keeps a process that works in one loop from its work, in words, for /readyz."""

from services.runtime.clock import Clock

# One round takes well under a second; a call to a neighbour that is away is waited for.
_LONGEST_SILENCE_SECONDS = 5.0


class Readiness:
    """What is missing, in words; None where nothing is. Read by the probes' thread."""

    def __init__(self, clock: Clock) -> None:
        self.missing: str | None = "starting"
        self._clock = clock
        self._alive_at = clock.monotonic()

    def beat(self) -> None:
        """The loop has come round: it hangs nowhere."""
        self._alive_at = self._clock.monotonic()

    def check(self) -> str | None:
        """For the probe server."""
        silent_seconds = self._clock.monotonic() - self._alive_at
        if self.missing is None and silent_seconds > _LONGEST_SILENCE_SECONDS:
            return f"no batch has ended for {silent_seconds:.0f} seconds: does Kafka answer?"
        return self.missing
