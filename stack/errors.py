"""The one exception an operator sees: what went wrong, and what to do about it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# What an operator can do something about; any other OSError is a defect of ours and keeps its stack trace.
_STORAGE_CAUSES: Mapping[int, str] = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would become larger than allowed (`ulimit -f`, or the file system's limit)",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.EEXIST: "a file is in the place of a folder",
    errno.ENOTDIR: "a file is in the place of a folder",
}


class StackError(Exception):
    """A failure with a remedy; printed as two lines, never as a stack trace."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


@contextmanager
def storing(what: str, folder: Path, alternative: str) -> Iterator[None]:
    """Turn what the disk or its permissions refuse below this folder into a `StackError`."""
    try:
        yield
    except OSError as error:
        cause = _STORAGE_CAUSES.get(error.errno or 0)
        if cause is None or not _concerns(error, folder):
            raise
        raise StackError(
            f"{what} cannot be kept in {folder}: {cause} ({error})",
            f"Make room or correct that folder, or {alternative}; then run the same command again.",
        ) from error


def _concerns(error: OSError, folder: Path) -> bool:
    """A refused write names no file; any other error names one."""
    if not isinstance(error.filename, str | os.PathLike):
        return error.filename is None
    path = Path(error.filename)
    return path.is_relative_to(folder) or folder.is_relative_to(path)
