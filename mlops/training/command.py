"""The commands that train one model on a history: by itself, or as one of the platform's."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mlops.registry.artifact import ArtifactError
from mlops.registry.ports import RegistryError
from mlops.registry.settings import registry_from
from mlops.registry.store import Registry
from mlops.training.candidates import Candidate, champion_in, published
from mlops.training.worlds import CACHE, WORLD, made

Trainer = Callable[[Registry, Path, Path, int], Iterator[str]]
"""Trains on a history with a folder for its tables, registers, and yields what people read."""


def trainer(candidate: Candidate) -> Trainer:
    """Trains, judges and registers; errors as of `Judging` and of the registry."""

    def train(registry: Registry, history: Path, cache: Path, started_ms: int) -> Iterator[str]:
        outcome = candidate.judged(history, cache, champion_in(registry, candidate.name))
        yield from candidate.report(outcome)
        yield published(registry, candidate.name, outcome, candidate.purpose, started_ms)

    return train


def _parser(program: str, description: str | None) -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog=program, description=description)
    root.add_argument("--history", type=Path, default=WORLD, help="made, with a seed, where it does not exist")
    root.add_argument("--cache", type=Path, default=CACHE, help="where tables of features are kept")
    root.add_argument("--days-before-end", type=int, default=0, help="judge earlier days, to choose a recipe on")
    root.add_argument("--artifact", type=Path, help="write the model's folder here")
    root.add_argument("--register", action="store_true", help="log it in MLflow and register it as the challenger")
    root.add_argument("--url", help="MLflow's base URL (default: TIDEGATE_MLFLOW_URL)")
    return root


def run(candidate: Candidate, program: str, description: str | None, argv: Sequence[str] | None = None) -> int:
    """Train, print the report, and register where asked; 2 where it cannot be done."""
    options = _parser(program, description).parse_args(argv)
    started_ms = time.time_ns() // 1_000_000
    try:
        registry = registry_from(options.url) if options.register else None
        champion = champion_in(registry, candidate.name) if registry else None
        history = made(options.history)
        outcome = candidate.judged(history, options.cache, champion, days_before_end=options.days_before_end)
        _say(candidate.report(outcome))
        if options.artifact:
            outcome.judged.model.save(options.artifact)
        if registry:
            _say([published(registry, candidate.name, outcome, candidate.purpose, started_ms)])
    except (ValueError, ArtifactError, RegistryError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
