"""The one exception an operator sees: what went wrong, and what to do about it."""

from __future__ import annotations


class StackError(Exception):
    """A failure with a remedy; printed as two lines, never as a stack trace."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message
