"""Sends a schedule: each delivery at its due time, whatever became of those before it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.runtime.clock import Clock
from services.simulator.client import NoAnswerError
from services.simulator.events import Expected
from services.simulator.injections import Delivery
from services.simulator.report import STATUS_OF, Answered
from services.simulator.schedule import Scheduled
from services.simulator.signature import signature_header

SIGNATURE_HEADER = "stripe-signature"
# The loop gets a turn at least this often when the schedule is behind.
_TURN_EVERY = 16


class Poster(Protocol):
    """Posts one body. A caller must not assume that no answer means not received."""

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The HTTP status; NoAnswerError when none came."""
        ...


@dataclass(frozen=True, slots=True)
class Redelivery:
    """Delivers again what was not acknowledged, as Stripe does over days: here within `seconds`, backing off."""

    seconds: float
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 4.0

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many attempts."""
        return min(self.longest_pause_seconds, self.first_pause_seconds * float(2 ** (attempts - 1)))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int | None
    error: str | None


class Sender:
    """Signs and posts. Every try is signed anew, since a signature has a time."""

    def __init__(self, poster: Poster, secret: str, clock: Clock, redelivery: Redelivery | None = None) -> None:
        self._poster = poster
        self._secret = secret
        self._clock = clock
        self._redelivery = redelivery

    async def send(self, schedule: Iterable[Scheduled], on_answer: Callable[[Answered], None]) -> None:
        """Post everything; returns when every delivery has its last answer."""
        began = self._clock.monotonic()
        began_at = self._clock.now()
        async with asyncio.TaskGroup() as group:
            for scheduled in schedule:
                wait = began + scheduled.due_seconds - self._clock.monotonic()
                if wait > 0 or scheduled.number % _TURN_EVERY == 0:
                    await asyncio.sleep(max(0.0, wait))
                group.create_task(self._deliver(scheduled, began, began_at, on_answer))

    async def _deliver(
        self, scheduled: Scheduled, began: float, began_at: datetime, on_answer: Callable[[Answered], None]
    ) -> None:
        # Wall-clock times are reckoned from one reading, so that a step of the clock during the run bends no latency.
        epoch = began_at.timestamp() - began
        sent = self._clock.monotonic()
        attempts, answer = 1, await self._post(scheduled.delivery)
        while self._redelivery and _try_again(scheduled.delivery.expected, answer):
            pause = self._redelivery.pause(attempts)
            if self._clock.monotonic() - sent + pause > self._redelivery.seconds:
                break
            await asyncio.sleep(pause)
            attempts, answer = attempts + 1, await self._post(scheduled.delivery)
        on_answer(
            Answered(
                number=scheduled.number,
                delivery=scheduled.delivery,
                due_at=epoch + began + scheduled.due_seconds,
                sent_at=epoch + sent,
                answered_at=epoch + self._clock.monotonic(),
                status=answer.status,
                error=answer.error,
                attempts=attempts,
            )
        )

    async def _post(self, delivery: Delivery) -> _Answer:
        at = int(self._clock.now().timestamp())
        signature = signature_header(delivery.body, self._secret, at, delivery.signing)
        try:
            status = await self._poster.post(delivery.body, {} if signature is None else {SIGNATURE_HEADER: signature})
        except NoAnswerError as error:
            return _Answer(None, str(error))
        return _Answer(status, None)


def _try_again(expected: Expected, answer: _Answer) -> bool:
    return answer.status != STATUS_OF[expected] and not (answer.status is not None and 200 <= answer.status < 300)  # noqa: PLR2004 - 2xx
