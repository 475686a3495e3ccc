"""Where the histories to learn from are, and makes them with the simulator's command where there are none."""

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from mlops.training.history import HISTORY_FILE

_ROOT: Final = Path(__file__).parents[2]
DATA: Final = Path(os.environ.get("TIDEGATE_HOME") or _ROOT / ".tidegate").expanduser() / "data"
WORLD: Final = DATA / "world"
CACHE: Final = DATA / "training"

_SEED: Final = 1
_CUSTOMERS: Final = 4000
_YEAR: Final = ("--days", "365", "--first-day", "2025-01-01")
"""A year: 30 days to warm up, 60 to judge, and twice 30 of label delay leave seven months to learn from."""
_AT_ONCE: Final = 2


def made(folder: Path, *, seed: int = _SEED, customers: int = _CUSTOMERS) -> Path:
    """The folder, with a history in it: a seeded year of the simulator where there was none.

    Raises:
        ValueError: the simulator failed; its own words say why.
    """
    if not (folder / HISTORY_FILE).is_file():
        partial = folder.with_name(folder.name + ".partial")
        plan = ("--seed", str(seed), "--customers", str(customers), *_YEAR)
        command = [sys.executable, "-m", "services.simulator", "--history", str(partial), *plan]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"no history could be made: {' '.join(command)}\n{done.stderr[-2000:]}")
        partial.rename(folder)
    return folder


def many(folder: Path, seeds: Iterable[int], customers: int) -> dict[int, Path]:
    """A history of each seed, each in a folder of its own, two at a time; ValueError as of `made`."""
    folders = {seed: folder / f"world-{seed}-{customers}" for seed in seeds}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda seed: made(folders[seed], seed=seed, customers=customers), folders))
    return folders
