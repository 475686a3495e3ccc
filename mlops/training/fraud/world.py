"""Trains the fraud model on a history and judges it on later days: `python -m mlops.training.fraud.world`."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mlops.features.payment import OWN_FEATURES
from mlops.registry.artifact import ArtifactError, TrainedModel
from mlops.registry.evidence import Evidence
from mlops.registry.policy import champion_of
from mlops.registry.ports import RegistryError
from mlops.registry.settings import registry_from
from mlops.registry.store import Registry
from mlops.training.baseline import LogisticRegression
from mlops.training.candidates import Champion, Outcome, champion_in, published, table
from mlops.training.cards import Purpose
from mlops.training.fraud.truth import DAY_US
from mlops.training.fraud.world_data import Attempts, Split
from mlops.training.fraud.world_recipe import RECIPE, REGISTERED_NAME
from mlops.training.history import fingerprint
from mlops.training.judging import Answers, judge
from mlops.training.provenance import code_version
from mlops.training.publishing import Judged
from mlops.training.recipe import train
from mlops.training.worlds import CACHE, WORLD, made

DECLINE: Final = "decline"
PURPOSE: Final = Purpose(
    "Fraud",
    "The probability that a payment that was collected is fraudulent; whether to let it pass, review or stop it.",
    "Attempts to pay of one history, with the labels that were known when the days that judge it began.",
    (
        "Learned in a world that is made up (docs/world.md): that it finds the structure there says nothing of yours.",
        "Attacks come in bursts: a window holds few of them, and intervals are wide.",
        "The share of frauds is that of the history; where yours differs, probabilities are off until trained anew.",
        "Attempts of guests are known by their card alone, and by nothing where the event does not tell the card.",
    ),
)


def judged(history: Path, cache: Path, champion: Champion | None, *, days_before_end: int = 0) -> Outcome:
    """Train on a history and judge on its last settled days, against a champion where there is one.

    `days_before_end` is for choosing a recipe: all is as it was so many days before the history's end.

    Raises:
        ValueError: the history lacks something, or is too short.
    """
    attempts = Attempts.of(history, cache)
    split = attempts.split(attempts.end_us - days_before_end * DAY_US)
    model = train(split.trained, RECIPE, code_version=code_version())
    own = _answers("candidate", model, split)
    regression = LogisticRegression.of(split.trained, OWN_FEATURES)
    simple = Answers("logistic regression", regression.predict(split.tested), model.thresholds[DECLINE])
    other = _answers(champion_of(champion[0]), champion[1], split) if champion else simple
    against_simple = _evidence(split, model, own, simple)
    evidence = _evidence(split, model, own, other) if champion else against_simple
    answers = (own, simple) if other is simple else (own, simple, other)
    rows = split.tested.matrix(model.features)
    return Outcome(Judged(model, evidence, split.tested.label, answers, fingerprint(history), rows), against_simple)


def _answers(name: str, model: TrainedModel, split: Split) -> Answers:
    return Answers(name, model.predict(split.tested.matrix(model.features)), model.thresholds[DECLINE])


def _evidence(split: Split, model: TrainedModel, own: Answers, other: Answers) -> Evidence:
    return judge(split.trained, split.tested, own, other, features=model.features, segments=split.segments)


def report(outcome: Outcome) -> Iterator[str]:
    """Yield the lines that people read."""
    evidence, model = outcome.judged.evidence, outcome.judged.model
    quality, data = evidence.quality, model.metadata["data"]
    yield f"trained on {data['rows']:,} attempts, {data['positives']:,} of frauds; {len(model.features)} features"
    yield (
        f"judged on {evidence.window[0]} to {evidence.window[1]}: {quality['test_rows']:,.0f} payments collected, "
        f"{quality['test_positives']:,.0f} fraudulent"
    )
    yield ""
    yield from table(outcome, "fraud model")
    yield ""
    yield (
        f"said to happened {evidence.calibration['said_to_happened']:.2f}, expected calibration error "
        f"{evidence.calibration['expected_error']:.5f}, wrongly declined {evidence.false_positive_rate:.3%}"
    )


def train_fraud(registry: Registry, history: Path, cache: Path, started_ms: int) -> Iterator[str]:
    """Train, judge and register, yielding what people read; errors as of `judged` and of the registry."""
    outcome = judged(history, cache, champion_in(registry, REGISTERED_NAME))
    yield from report(outcome)
    yield published(registry, REGISTERED_NAME, outcome, PURPOSE, started_ms)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.training.fraud.world", description=__doc__)
    root.add_argument("--history", type=Path, default=WORLD, help="made, with a seed, where it does not exist")
    root.add_argument("--cache", type=Path, default=CACHE, help="where tables of features are kept")
    root.add_argument("--days-before-end", type=int, default=0, help="judge earlier days, to choose a recipe on")
    root.add_argument("--artifact", type=Path, help="write the model's folder here")
    root.add_argument("--register", action="store_true", help="log it in MLflow and register it as the challenger")
    root.add_argument("--url", help="MLflow's base URL (default: TIDEGATE_MLFLOW_URL)")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print the report, and register where asked; 2 where it cannot be done."""
    options = parser().parse_args(argv)
    started_ms = time.time_ns() // 1_000_000
    try:
        registry = registry_from(options.url) if options.register else None
        champion = champion_in(registry, REGISTERED_NAME) if registry else None
        outcome = judged(made(options.history), options.cache, champion, days_before_end=options.days_before_end)
        _say(report(outcome))
        if options.artifact:
            outcome.judged.model.save(options.artifact)
        if registry:
            _say([published(registry, REGISTERED_NAME, outcome, PURPOSE, started_ms)])
    except (ValueError, ArtifactError, RegistryError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
