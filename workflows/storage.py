"""What storage may answer to any step that writes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refused:
    """Storage will never take this record."""

    # Names the constraint or kind of error, never a value.
    reason: str
