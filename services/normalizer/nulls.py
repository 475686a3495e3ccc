"""Tells a value from the many ways in which senders write that there is none."""

_WORDS_FOR_NONE = frozenset({"", "null", "none"})


def present(text: str) -> str | None:
    """The text without white space around it; None for '', 'null', 'NULL', 'None' and white space alone."""
    stripped = text.strip()
    return None if stripped.lower() in _WORDS_FOR_NONE else stripped
