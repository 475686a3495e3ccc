"""Settings of the embedded stack itself, read from the caller's environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from stack.errors import StackError


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A setting that is a whole number between two bounds."""

    name: str
    default: int
    least: int
    most: int

    def read(self) -> int:
        """The number from the environment, or the default; raises `StackError` for anything else."""
        text = os.environ.get(self.name, str(self.default))
        if not text.isdecimal() or not self.least <= int(text) <= self.most:
            raise StackError(
                f"{self.name}={text!r} is not a number from {self.least} to {self.most}", "Correct or unset it."
            )
        return int(text)
