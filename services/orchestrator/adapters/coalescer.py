"""Gathers what many callers ask at the same time into one call."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(slots=True)
class _Waiting(Generic[Q, A]):
    items: Sequence[Q]
    answers: asyncio.Future[Sequence[A]]


class Coalescer(Generic[Q, A]):
    """Runs one batch at a time: while it runs, the next one gathers. Alone, a caller waits for nothing.

    `run` answers a batch in its order, or raises for all of it.
    """

    def __init__(self, run: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, most_items: int) -> None:
        self._run = run
        self._most = most_items
        self._queue: deque[_Waiting[Q, A]] = deque()
        self._drainer: asyncio.Task[None] | None = None

    async def submit(self, items: Sequence[Q]) -> Sequence[A]:
        """The answers to these items, in their order. More than fit in one batch go in several."""
        portions = [self._enqueue(items[start : start + self._most]) for start in range(0, len(items), self._most)]
        if self._drainer is None or self._drainer.done():
            # A context of its own: a batch belongs to no single caller's trace or log lines.
            self._drainer = asyncio.create_task(self._drain(), context=Context())
        if len(portions) == 1:
            return await portions[0]
        return [answer for answers in await asyncio.gather(*portions) for answer in answers]

    def _enqueue(self, items: Sequence[Q]) -> asyncio.Future[Sequence[A]]:
        waiting: _Waiting[Q, A] = _Waiting(items, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        return waiting.answers

    async def _drain(self) -> None:
        while self._queue:
            batch = self._take()
            try:
                answers = await self._run([item for waiting in batch for item in waiting.items])
            except Exception as error:  # noqa: BLE001 - each waiter gets it
                _fail(batch, error)
            else:
                _answer(batch, answers)

    def _take(self) -> list[_Waiting[Q, A]]:
        batch = [self._queue.popleft()]
        size = len(batch[0].items)
        while self._queue and size + len(self._queue[0].items) <= self._most:
            batch.append(self._queue.popleft())
            size += len(batch[-1].items)
        return batch


def _answer(batch: Sequence[_Waiting[Q, A]], answers: Sequence[A]) -> None:
    start = 0
    for waiting in batch:
        end = start + len(waiting.items)
        if not waiting.answers.done():  # else the waiter is gone
            waiting.answers.set_result(answers[start:end])
        start = end


def _fail(batch: Sequence[_Waiting[Q, A]], error: Exception) -> None:
    for waiting in batch:
        if not waiting.answers.done():
            waiting.answers.set_exception(error)
