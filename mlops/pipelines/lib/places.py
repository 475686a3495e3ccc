"""Where pipelines keep what they make on this machine: below TIDEGATE_HOME, unless a setting says otherwise."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[3]
DBT_PROJECT: Final = _ROOT / "dbt"
CONTRACTS: Final = _ROOT / "gen" / "contracts.binpb"


@dataclass(frozen=True, slots=True)
class Places:
    """Folders; each is made by whoever writes to it."""

    history: Path
    """The past that is learned from, as read out of the lake."""
    training: Path
    """Tables of features by the history's fingerprint."""
    features: Path
    """Feast's offline store."""


def places() -> Places:
    """As the environment says now."""
    data = Path(os.environ.get("TIDEGATE_HOME") or _ROOT / ".tidegate").expanduser() / "data"
    features = os.environ.get("TIDEGATE_FEATURES_FOLDER")
    return Places(data / "lake" / "history", data / "lake" / "training", Path(features or data / "features"))
