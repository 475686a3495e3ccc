"""Notices when so many messages fail that the fault must be in a deploy or a sender, not in the messages."""

from collections import deque
from collections.abc import Sequence


class FloodLimit:
    """Admits batches until more than `failures` of the last `window` messages failed.

    Counted in messages, not in seconds: a bad deploy on a quiet topic trips it as well, if later, and a backlog read at
    full speed changes nothing. A burst shorter than `failures` never trips it, whatever its share.
    """

    def __init__(self, failures: int, window: int) -> None:
        if not 0 < failures < window:
            raise ValueError(
                f"a flood is more than {failures} failures among {window} messages: it could never be told"
            )
        self._failures = failures
        self._window = window
        self._seen = 0
        self._failed_at: deque[int] = deque()

    def admits(self, failed: Sequence[bool]) -> bool:
        """Whether a batch stays below the limit; counts nothing yet, since the batch may still be aborted."""
        if not any(failed):
            return True
        failed_at = self._failed_at.copy()
        return all(self._count(number, failed_at) for number in self._numbers_of(failed))

    def count(self, failed: Sequence[bool]) -> None:
        """Remember a batch that was committed."""
        for number in self._numbers_of(failed):
            self._count(number, self._failed_at)
        self._seen += len(failed)

    def __str__(self) -> str:
        return f"more than {self._failures} of the last {self._window} messages"

    def _numbers_of(self, failed: Sequence[bool]) -> list[int]:
        return [self._seen + index for index, is_failure in enumerate(failed) if is_failure]

    def _count(self, number: int, failed_at: deque[int]) -> bool:
        """Count one failure; whether the limit holds."""
        failed_at.append(number)
        while failed_at[0] <= number - self._window:
            failed_at.popleft()
        return len(failed_at) <= self._failures
