"""Says which code made a model."""

import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def code_version() -> str:
    """Return the commit, with `+changes` where the tree differs from it, or `unknown` outside a checkout."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "--", "mlops") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True)
    return ran.stdout.strip()
