"""Where the history to learn from is, and makes one with the simulator's command where there is none."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from mlops.training.history import HISTORY_FILE

_ROOT: Final = Path(__file__).parents[2]
_HOME: Final = Path(os.environ.get("TIDEGATE_HOME") or _ROOT / ".tidegate").expanduser()
WORLD: Final = _HOME / "data" / "world"
CACHE: Final = _HOME / "data" / "training"

_PLAN: Final = ("--seed", "1", "--customers", "4000", "--days", "365", "--first-day", "2025-01-01")
"""A year: 30 days to warm up, 60 to judge, and twice 30 of label delay leave seven months to learn from."""


def made(folder: Path) -> Path:
    """The folder, with a history in it: a seeded one of the simulator where there was none.

    Raises:
        ValueError: the simulator failed; its own words say why.
    """
    if not (folder / HISTORY_FILE).is_file():
        partial = folder.with_name(folder.name + ".partial")
        command = [sys.executable, "-m", "services.simulator", "--history", str(partial), *_PLAN]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"no history could be made: {' '.join(command)}\n{done.stderr[-2000:]}")
        partial.rename(folder)
    return folder
