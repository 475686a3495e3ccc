"""Shows the programs' logs and follows them over restarts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stack.processes import tail

_POLL_SECONDS = 0.3


@dataclass(slots=True)
class Follower:
    """Reads what is appended to one log; begins anew when the log was replaced by a later run's."""

    path: Path
    _inode: int = field(init=False, default=0)
    _offset: int = field(init=False, default=0)
    _rest: bytes = field(init=False, default=b"")

    def skip_to_end(self) -> None:
        """Leave out what the log holds by now."""
        if self.path.exists():
            found = self.path.stat()
            self._inode, self._offset = found.st_ino, found.st_size

    def new_lines(self) -> Iterator[str]:
        """The complete lines that were appended since the last call."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return
        if found.st_ino != self._inode or found.st_size < self._offset:
            self._inode, self._offset, self._rest = found.st_ino, 0, b""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")


def recent(logs: Mapping[str, Path], lines: int) -> Iterator[str]:
    """The last lines of each log, each named when there are several."""
    for name, path in logs.items():
        for line in tail(path, lines):
            yield _labelled(name, line, logs)


def follow(logs: Mapping[str, Path], followers: Mapping[str, Follower]) -> Iterator[str]:
    """Lines as they are written, for ever."""
    while True:
        for name, follower in followers.items():
            for line in follower.new_lines():
                yield _labelled(name, line, logs)
        time.sleep(_POLL_SECONDS)


def followers_at_end(logs: Mapping[str, Path]) -> Mapping[str, Follower]:
    """One follower per log that leaves out what is there by now."""
    followers = {name: Follower(path) for name, path in logs.items()}
    for follower in followers.values():
        follower.skip_to_end()
    return followers


def known_logs(folder: Path, wanted: Sequence[str]) -> dict[str, Path]:
    """The current logs in the folder by name, or only the wanted ones, whether they exist yet or not."""
    if wanted:
        return {name: folder / f"{name}.log" for name in wanted}
    return {path.stem: path for path in sorted(folder.glob("*.log"))}


def _labelled(name: str, line: str, logs: Mapping[str, Path]) -> str:
    return line if len(logs) == 1 else f"{name:<14} | {line}"
