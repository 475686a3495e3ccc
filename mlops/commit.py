"""Says which code it was."""

import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def commit_of(*folders: str) -> str:
    """Return the commit, with `+changes` where these folders differ from it, or `unknown` outside a checkout."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "--", *folders) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True)
    return ran.stdout.strip()
