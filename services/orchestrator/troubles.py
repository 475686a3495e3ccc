"""What keeps the process from its work, in words, for /readyz."""


class Troubles:
    """Troubles by neighbour; none while all is well. Read from the probes' thread."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}

    def note(self, neighbour: str, words: str) -> None:
        """Something is wrong."""
        self._words[neighbour] = words

    def clear(self, neighbour: str) -> None:
        """It is over."""
        self._words.pop(neighbour, None)

    def of(self, neighbour: str) -> str | None:
        """What is wrong with one neighbour."""
        return self._words.get(neighbour)

    def told(self) -> str | None:
        """All of it in one line; None when there is none."""
        return "; ".join(f"{neighbour}: {words}" for neighbour, words in sorted(self._words.copy().items())) or None
