"""Finds the programs that wheels install beside Python."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from stack.errors import StackError


def installed_program(name: str, package: str) -> str:
    """The path of a program; raises `StackError` when the package that brings it is not installed."""
    beside_python = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([beside_python, os.environ.get("PATH", "")]))
    if found is None:
        raise missing_package(package)
    return found


def missing_package(package: str) -> StackError:
    """What to say when a wheel is not there."""
    return StackError(f"The package {package} is not installed", "Run `make setup`, or install requirements.lock.")
