"""A platform of its own for benchmarks: engines and services on free ports, in a temporary home."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil

from stack.home import Home

_START_SECONDS = 900


@dataclass(frozen=True)
class Platform:
    """A running set."""

    home: Path

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The addresses that `up` wrote."""
        lines = (self.home / "stack.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def stop(self, *names: str) -> None:
        """Stop some programs of the set, so that they take no CPU from what is measured."""
        _stack(self.home, "down", *names)

    def process(self, name: str) -> psutil.Process:
        """One process of the set by its name, such as "gateway"."""
        return psutil.Process(Home(self.home).read_state().processes[name].pid)

    def processes(self) -> Mapping[str, psutil.Process]:
        """Every process of the set, children included under their parent's name with a number."""
        found: dict[str, psutil.Process] = {}
        for name, record in Home(self.home).read_state().processes.items():
            parent = psutil.Process(record.pid)
            found[name] = parent
            found.update({f"{name}/{child.pid}": child for child in parent.children(recursive=True)})
        return found


@contextmanager
def started(*options: str) -> Iterator[Platform]:
    """Start a set, and stop it whatever happens; `--engines-only` leaves the services out."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        home = Path(folder) / "home"
        try:
            _stack(home, "up", *options)
            yield Platform(home)
        finally:
            _stack(home, "down")


def _stack(home: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stack", *arguments],
        env={**os.environ, "TIDEGATE_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"python -m stack {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
