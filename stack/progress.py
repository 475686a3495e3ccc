"""Prints what is going on: one moving line on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Self, TextIO

_QUARTER = 25


class TransferLine:
    """Bytes and per cent of a transfer; safe to advance from several threads."""

    def __init__(self, label: str, total_bytes: int, out: TextIO | None = None) -> None:
        self._label = label
        self._total = total_bytes
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._lock = threading.Lock()
        self._done = 0
        self._shown = -1

    def __enter__(self) -> Self:
        self._show(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._out.write("\n")
            self._out.flush()

    def advance(self, count: int) -> None:
        """Count these bytes (negative: a failed attempt is taken back) and redraw when the figure changed."""
        with self._lock:
            self._done += count
            percent = 100 if not self._total else self._done * 100 // self._total
            self._show(percent)

    def _show(self, percent: int) -> None:
        step = percent if self._live else percent // _QUARTER * _QUARTER
        if step == self._shown or (not self._live and step < self._shown):
            return
        self._shown = step
        text = f"{self._label}: {_mebibytes(self._done)} of {_mebibytes(self._total)} MiB ({step} %)"
        self._out.write(f"\r\x1b[K{text}" if self._live else f"{text}\n")
        self._out.flush()


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):.1f}"
