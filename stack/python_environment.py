"""Makes a Python environment from a lock of its own, in the cache that all stacks of a machine share."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from stack.artifacts import cache_directory, require_free_space
from stack.errors import StackError
from stack.wheels import installed_program

_INSTALL_SECONDS = 1800.0
_NEEDED_BYTES = 1200 << 20


def environment_python(name: str, lock: Path) -> Path:
    """The environment's Python, whether it is there or not: another lock or another Python is another folder."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    return cache_directory() / name / f"{version}-{digest}" / "bin" / "python"


def install_environment(name: str, lock: Path) -> Path:
    """Return the environment's Python, installing all that is locked first where that has not been done.

    It gets its name when it is whole, so that one whose making was cut off is made anew. Raises `StackError` when
    packages cannot be had.
    """
    python = environment_python(name, lock)
    if python.exists():
        return python
    folder = python.parent.parent
    require_free_space(folder.parent, _NEEDED_BYTES)
    with (folder.parent / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # another stack may be at it: then wait for what it makes
        if not python.exists():
            _install(name, lock, folder)
    return python


def _install(name: str, lock: Path, folder: Path) -> None:
    print(f"installing {name} from {lock.name} (once for this machine)", flush=True)
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)  # its Python is gone, or it would not be made
    _uv("venv", "--python", sys.executable, "--relocatable", str(partial))
    python = str(partial / "bin" / "python")
    _uv("pip", "sync", "--require-hashes", "--compile-bytecode", "--python", python, str(lock))
    partial.rename(folder)


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [installed_program("uv", "uv"), *arguments[:1], "--quiet", *arguments[1:]],
        env={**os.environ, "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise StackError(
            f"Installing Python packages failed:\n{(done.stdout + done.stderr).strip()[-1500:]}",
            "If the package index cannot be reached, check the network or set UV_INDEX_URL to your mirror; what was "
            "fetched already is kept: run the same command again.",
        )
