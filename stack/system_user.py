"""Under root, runs PostgreSQL as a system user of its own, and opens no folder of anybody's to that user.

PostgreSQL refuses to run as root. Its data stay in the home, which may lie below a folder that is closed to others: a
process is put into its working directory before it changes its user, and from then on reaches it as `/proc/self/cwd`,
for which no folder above needs to be passed. Programs cannot be reached like that: where they lie below such a folder,
they are copied to where everybody may read them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from stack.errors import StackError, storing

NAME = "tidegate-postgres"
WORKING_DIRECTORY = "/proc/self/cwd"  # under root on Linux; elsewhere nobody needs it

_PASSED, _READ_AND_PASSED = 0o001, 0o005  # by others
COPIES = Path("/var/lib/tidegate-postgres")


def needed() -> bool:
    """Whether another user is needed."""
    return os.geteuid() == 0


def ensure() -> str | None:
    """The name of the user, made on first use; None when none is needed."""
    if not needed():
        return None
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        _add()
    return NAME


def within_reach(package: Path, version: str, copies: Path = COPIES) -> Path:
    """Where the user finds this folder of programs: where it is, else in its copy, which `copy_programs` makes."""
    return package if _is_open(package) else copies / version / package.name


def copy_programs(package: Path, version: str, copies: Path = COPIES) -> None:
    """Copy the folder, and its libraries in the folder beside it, unless it is within reach or was copied already."""
    target = copies / version
    if _is_open(package) or target.is_dir():
        return
    with storing("PostgreSQL's programs", copies, "put the repository where other users may read it"):
        copies.mkdir(parents=True, exist_ok=True)
        copies.chmod(0o755)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=copies) as partial:
            content = Path(partial) / version
            for folder in package.parent.glob(f"{package.name}*"):
                if folder.name in {package.name, f"{package.name}.libs"}:
                    shutil.copytree(folder, content / folder.name, symlinks=True)
            _open(content)
            try:
                content.rename(target)
            except OSError:
                if not target.is_dir():  # else another stack was faster: its copy is as good
                    raise


def _is_open(package: Path) -> bool:
    """Whether every user may come to this folder and read it."""
    folder = package.resolve()
    above = all(parent.stat().st_mode & _PASSED for parent in folder.parents)
    return above and folder.stat().st_mode & _READ_AND_PASSED == _READ_AND_PASSED


def _open(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if mode & 0o100 else 0o044))


def _add() -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StackError(
            f"PostgreSQL refuses to run as root, and the system user {NAME} could not be made",
            "Run as an ordinary user, or make that user yourself.",
        ) from error
