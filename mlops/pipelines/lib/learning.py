"""Training, evaluation and promotion as steps of a pipeline: what each came to, in words; the policy decides."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlops.registry.policy import policy_for, refusals
from mlops.registry.ports import CHALLENGER, CHAMPION, ChampionRegistry
from mlops.registry.promotion import Order, RefusedError, promote
from mlops.registry.replays import Replayed
from mlops.registry.store import Registry
from mlops.training.__main__ import TRAINERS
from mlops.training.dataset import HistoryTooShortError

_ROOT: Final = Path(__file__).parents[3]
_REPLAY_SECONDS: Final = 3600
_MOST_SAID: Final = 2_000


class ReplayError(Exception):
    """A replay could not be made; its own words say why."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a training came to: a challenger, or why there is none."""

    lines: Sequence[str]
    too_short: str | None = None
    challenger: str | None = None


def learn(registry: Registry, model: str, history: Path, cache: Path, started_ms: int) -> Learned:
    """Train a model on a history and register it; a history that is too short yet is an answer, not a fault."""
    try:
        lines = list(TRAINERS[model](registry, history, cache, started_ms))
    except HistoryTooShortError as error:
        return Learned([], too_short=str(error))
    challenger = registry.by_alias(model, CHALLENGER)
    return Learned(lines, challenger=challenger.number if challenger else None)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What the policy says of the challenger; nothing where there is none."""

    challenger: str | None
    champion: str | None
    refusals: Sequence[str]
    replay: str = ""


def evaluate(registry: Registry, model: str, history: Path) -> Evaluated:
    """Hold the challenger against the policy; where that asks for a replay, make and record it first.

    Raises:
        ReplayError: the replay could not be made.
    """
    challenger, champion = (registry.by_alias(model, alias) for alias in (CHALLENGER, CHAMPION))
    serving = champion.number if champion else None
    if challenger is None or challenger.number == serving:
        return Evaluated(None, serving, ())
    policy = policy_for(model)
    said = ""
    if serving and policy.replay is not None and Replayed.of_tags(challenger.tags, serving) is None:
        said = _replay(registry, model, serving, challenger.number, history)
        challenger = registry.version(model, challenger.number)
    with tempfile.TemporaryDirectory() as folder:
        evidence = registry.evidence(challenger, Path(folder))
    replayed = Replayed.of_tags(challenger.tags, serving) if serving else None
    found = refusals(policy, evidence, serving, replayed)
    return Evaluated(challenger.number, serving, tuple(map(str, found)), said)


def _replay(registry: Registry, model: str, champion: str, challenger: str, history: Path) -> str:
    """In a process of its own: what serves is imported by none of the pipelines."""
    command = [sys.executable, "-m", "services.inference.replay", model, "--versions", champion, challenger]
    command += ["--history", str(history), "--record", "--by", "pipeline"]
    environment = {**os.environ, "TIDEGATE_MLFLOW_URL": registry.url}
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=_REPLAY_SECONDS
    )
    if done.returncode:
        raise ReplayError(f"{' '.join(command)}: {done.stderr[-_MOST_SAID:]}")
    return done.stdout[:_MOST_SAID]


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a challenger: who serves now, and why not the challenger where the policy refused it."""

    promoted: str | None
    serves: str | None
    refusals: Sequence[str]


def decide(registry: ChampionRegistry, model: str, order: Order) -> Decided:
    """Let the challenger serve if the policy allows it. What the policy refuses stays a challenger.

    Done again where it was killed in its middle, it ends what it began: who serves already is a challenger no more.
    """
    champion, challenger = (registry.by_alias(model, alias) for alias in (CHAMPION, CHALLENGER))
    serving = champion.number if champion else None
    if challenger is not None and challenger.number == serving:
        registry.unpoint(model, CHALLENGER)
        return Decided(serving, serving, ())
    if challenger is None:
        return Decided(None, serving, ())
    try:
        record = promote(registry, model, None, policy_for(model), order)
    except RefusedError as refused:
        return Decided(None, serving, tuple(map(str, refused.refusals)))
    return Decided(record.to_version, record.to_version, ())
