"""Makes the worlds to learn from and to judge in, by the simulator's command, where they are not there yet."""

import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[3]
_FIRST_DAY: Final = "2025-01-01"
_DAYS: Final = 365
_AT_ONCE: Final = 2


def made(folder: Path, seeds: Iterable[int], customers: int) -> dict[int, Path]:
    """A year of each seed's world, each in a folder of its own.

    Raises:
        ValueError: the simulator failed; its own words say why.
    """
    folders = {seed: folder / f"world-{seed}-{customers}" for seed in seeds}
    missing = [(seed, into) for seed, into in folders.items() if not _is_whole(into)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda each: _make(*each, customers=customers), missing))
    return folders


def _is_whole(folder: Path) -> bool:
    """The simulator writes `world.json` last."""
    file = folder / "world.json"
    return file.is_file() and "rows" in json.loads(file.read_text())


def _make(seed: int, folder: Path, *, customers: int) -> None:
    plan = ("--seed", seed, "--customers", customers, "--days", _DAYS, "--first-day", _FIRST_DAY)
    command = [sys.executable, "-m", "services.simulator", "--history", str(folder), *map(str, plan)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"no world could be made: {' '.join(command)}\n{done.stderr[-2000:]}")
