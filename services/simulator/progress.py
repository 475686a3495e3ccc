"""The live progress line: rewritten in place on a terminal, a line now and then elsewhere."""

from collections import Counter
from collections.abc import Callable
from typing import TextIO

from services.simulator.report import Answered, answer_in_words, percentiles

_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 5.0
_CLEAR = "\r\x1b[K"


class Progress:
    """Counts answers and shows them. `monotonic` tells the time in seconds."""

    def __init__(self, out: TextIO, total: int, monotonic: Callable[[], float]) -> None:
        self._out = out
        self._total = total
        self._monotonic = monotonic
        self._terminal = out.isatty()
        self._began = self._shown = monotonic()
        self._answers: Counter[str] = Counter()
        self._unexpected = 0
        self._recent: list[float] = []

    def add(self, answer: Answered) -> None:
        """One more delivery is through."""
        self._answers[answer_in_words(answer)] += 1
        self._unexpected += not answer.as_expected
        self._recent.append(answer.latency_ms)
        now = self._monotonic()
        if now - self._shown >= (_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            self._show(now)

    def finish(self) -> None:
        """Leave the terminal's line clean."""
        if self._terminal:
            self._out.write(_CLEAR)
            self._out.flush()

    def _show(self, now: float) -> None:
        self._shown = now
        line = self.line(now)
        self._out.write(f"{_CLEAR}{line}" if self._terminal else f"{line}\n")
        self._out.flush()
        self._recent.clear()

    def line(self, now: float) -> str:
        """The line as of now; the latency is that of the answers since the last one."""
        done = self._answers.total()
        seconds = max(now - self._began, 1e-9)
        answers = " ".join(f"{answer}:{count}" for answer, count in sorted(self._answers.items()))
        recent = percentiles(self._recent)
        latency = f"  p50 {recent['p50']:.0f} ms  p99 {recent['p99']:.0f} ms" if recent else ""
        wrong = f"  {self._unexpected} unexpected" if self._unexpected else ""
        return f"{done}/{self._total}  {done / seconds:.0f}/s  {answers}{latency}{wrong}"
