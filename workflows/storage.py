"""What storage may answer to any step that writes, and what it keeps of a text."""

from dataclasses import dataclass
from typing import Final

_NUL: Final = "\x00"
_REPLACEMENT: Final = "\ufffd"


@dataclass(frozen=True, slots=True)
class Refused:
    """Storage will never take this record."""

    # Names the constraint or kind of error, never a value.
    reason: str


def text(value: str) -> str:
    """PostgreSQL's text holds every character but U+0000."""
    return value.replace(_NUL, _REPLACEMENT) if _NUL in value else value
