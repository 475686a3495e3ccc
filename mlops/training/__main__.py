"""Trains every model of the platform and lets a first champion serve: `python -m mlops.training`, or `make train`."""

import argparse
import getpass
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from mlops.registry.__main__ import FAILED, REFUSED, said, shown
from mlops.registry.artifact import ArtifactError
from mlops.registry.policy import policy_for
from mlops.registry.ports import CHALLENGER, CHAMPION, RegistryError
from mlops.registry.promotion import Order, RefusedError, promote
from mlops.registry.settings import registry_from
from mlops.registry.store import Registry
from mlops.training.churn.world import train_churn
from mlops.training.command import Trainer
from mlops.training.fraud.world import train_fraud
from mlops.training.retry.world import train_retry
from mlops.training.worlds import CACHE, WORLD, made

TRAINERS: Final[Mapping[str, Trainer]] = {"fraud": train_fraud, "churn": train_churn, "retry": train_retry}
"""By registered name: each trains on a history with a folder for its tables, registers, and yields what people read."""

_WHY_FIRST: Final = "first champion: nothing served before"


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.training", description=__doc__)
    root.add_argument("models", nargs="*", metavar="model", help=f"default: all ({', '.join(TRAINERS)})")
    root.add_argument("--history", type=Path, default=WORLD, help="made, with a seed, where it does not exist")
    root.add_argument("--cache", type=Path, default=CACHE, help="where tables of features are kept")
    root.add_argument("--unless-served", action="store_true", help="leave models alone that have a champion")
    root.add_argument("--url", help="MLflow's base URL (default: TIDEGATE_MLFLOW_URL)")
    root.add_argument("--by", default=getpass.getuser(), help="who asks, for the record (default: you)")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Train each model; 1 where the policy refuses a first champion, 2 where it cannot be done."""
    options = parser().parse_args(argv)
    if unknown := sorted(set(options.models) - set(TRAINERS)):
        parser().error(f"no such model: {', '.join(unknown)}; there are {', '.join(TRAINERS)}")
    worst = 0
    try:
        registry = registry_from(options.url)
        for model in options.models or TRAINERS:
            worst = max(worst, _one(registry, model, options))
    except (ValueError, ArtifactError, RegistryError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return worst


def _one(registry: Registry, model: str, options: argparse.Namespace) -> int:
    try:
        for line in _trained(registry, model, options):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    except RefusedError as refused:
        sys.stderr.write(f"{refused}\n")
        return REFUSED
    return 0


def _trained(registry: Registry, model: str, options: argparse.Namespace) -> Iterator[str]:
    champion = registry.by_alias(model, CHAMPION)
    if champion is not None and options.unless_served:
        yield from (line for line in shown(registry, model) if CHAMPION in line)
        return
    started_ms = time.time_ns() // 1_000_000
    yield from TRAINERS[model](registry, made(options.history), options.cache, started_ms)
    if champion is None:
        order = Order(options.by, time.time_ns() // 1_000_000, _WHY_FIRST)
        yield said(promote(registry, model, None, policy_for(model), order))
    elif registry.by_alias(model, CHALLENGER):
        yield f"version {champion.number} goes on serving until another is promoted:"
        if policy_for(model).replay is not None:
            yield f"  python -m services.inference.replay {model} --html replay.html --record   # and read replay.html"
        yield f'  python -m mlops.registry promote {model} --why "…"'


if __name__ == "__main__":
    sys.exit(main())
