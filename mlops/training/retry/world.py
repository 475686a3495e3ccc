"""Trains the retry model on one history and judges it on later declines: `python -m mlops.training.retry.world`."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

import numpy as np
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from mlops.registry.artifact import ArtifactError, TrainedModel
from mlops.registry.evidence import Evidence
from mlops.registry.policy import champion_of
from mlops.registry.ports import RegistryError
from mlops.registry.retry.inputs import DAY_S, FEATURES, Floats
from mlops.registry.retry.policy import Terms
from mlops.registry.settings import registry_from
from mlops.registry.store import Registry
from mlops.training.baseline import LogisticRegression
from mlops.training.candidates import Champion, Outcome, champion_in, published, table
from mlops.training.cards import Purpose
from mlops.training.dataset import Dataset
from mlops.training.history import fingerprint
from mlops.training.judging import Answers, judge
from mlops.training.provenance import code_version
from mlops.training.publishing import Judged
from mlops.training.retry.decisions import Decision, decisions
from mlops.training.retry.recipe import LIKELY, NAME, Recipe, dataset, train
from mlops.training.worlds import WORLD, made

TEST_DAYS: Final = 120
OUTCOME_DAYS: Final = 14
"""No retry is made later than this after its decline: then what came of every decision is known."""

RECIPE: Final = Recipe(
    rounds=120,
    params=MappingProxyType(dict(Recipe().params) | {"num_leaves": 4, "min_data_in_leaf": 60, "feature_fraction": 0.3}),
    outlook_share=0.5,
)
"""Smaller trees than those of the study, which learns from forty times as many retries, and half of the outlook: with
all of it such a model tries too soon and too often (docs/models.md)."""

PURPOSE: Final = Purpose(
    "Retry",
    "The probability that a declined payment succeeds when it is tried again at a given moment; the policy beside it "
    "chooses the moment, or none, inside the card networks' rules.",
    "Retries of one history that were decided at random, with what came of them.",
    (
        "Learned in a world that is made up (docs/world.md): that it finds the structure there says nothing of yours.",
        "Retries that the customer overtook with another card are left out: long waits look a little too good.",
        "It learns from retries at random moments alone: where yours follow a schedule, it cannot tell hours apart.",
        "Where it chooses, it is too hopeful: the best of many moments is partly the luckiest.",
        "Its figures are of attempts that were made. What the moments it chooses bring in, only a world's truth tells.",
    ),
    wrongly="Said to succeed rather than not, and failed",
)


@dataclass(frozen=True, slots=True)
class Split:
    """Decisions to learn from, and retries after later declines that judge."""

    trained: list[Decision]
    tested: list[Decision]

    @classmethod
    def of(cls, decided: Sequence[Decision], *, days_before_end: int = 0) -> Self:
        """Split in time, since serving is later than training too, and knows most customers from before.

        What is learned from had all come to its end when the days that judge began, and these had when the history
        ended: else short waits would be overrepresented.

        Raises:
            ValueError: too little history.
        """
        end_s = max(each.situation.declined_s for each in decided) if decided else 0
        until_s = end_s - (OUTCOME_DAYS + days_before_end) * DAY_S
        from_s = until_s - TEST_DAYS * DAY_S
        trained = [each for each in decided if each.situation.declined_s < from_s - OUTCOME_DAYS * DAY_S]
        tested = [
            each for each in decided if from_s <= each.situation.declined_s < until_s and each.retry_s is not None
        ]
        if not tested or not any(each.retry_s is not None for each in trained):
            raise ValueError(
                f"the history is too short: {TEST_DAYS} days of test and twice {OUTCOME_DAYS} for outcomes leave no "
                "retry to learn from; make one of a year"
            )
        return cls(trained, tested)


def judged(history: Path, champion: Champion | None, *, days_before_end: int = 0) -> Outcome:
    """Train on a history and judge on its last declines, against a champion where there is one.

    Raises:
        ValueError: the history lacks something, or is too short.
    """
    split = Split.of(decisions(history), days_before_end=days_before_end)
    model = train(split.trained, RECIPE, Terms(), code_version=code_version())
    trained = dataset([each for each in split.trained if each.retry_s is not None])
    tested = dataset(split.tested)
    own = _answers("candidate", model, tested)
    regression = LogisticRegression.of(_plain(trained), PLAIN)
    simple = Answers("logistic regression", regression.predict(_plain(tested)), LIKELY)
    against_simple = _evidence(trained, tested, own, simple)
    other = _answers(champion_of(champion[0]), champion[1], tested) if champion else simple
    evidence = _evidence(trained, tested, own, other) if champion else against_simple
    answers = (own, simple) if other is simple else (own, simple, other)
    rows = tested.matrix(model.features)
    return Outcome(Judged(model, evidence, tested.label, answers, fingerprint(history), rows), against_simple)


def _answers(name: str, model: TrainedModel, tested: Dataset) -> Answers:
    return Answers(name, model.predict(tested.matrix(model.features)), LIKELY)


def _evidence(trained: Dataset, tested: Dataset, own: Answers, other: Answers) -> Evidence:
    return judge(trained, tested, own, other, features=FEATURES, segments=_segments(tested))


_CLASSES: Final = {number: name.removeprefix("DECLINE_CLASS_").lower() for name, number in DeclineClass.items()}
PLAIN: Final = (*(f"class_{name}" for name in _CLASSES.values()), "wait_hours")


def _plain(rows: Dataset) -> Dataset:
    """What a table of rules knows: the class of the decline, and how long to wait."""
    decline_class = _column(rows, "decline_class")
    columns = {f"class_{name}": (decline_class == number).astype(np.float64) for number, name in _CLASSES.items()}
    columns["wait_hours"] = _column(rows, "wait_hours")
    return replace(rows, features=PLAIN, values=np.column_stack([columns[name] for name in PLAIN]))


def _segments(rows: Dataset) -> dict[str, list[str]]:
    funding = np.where(_column(rows, "card_debit") == 1, "debit", "other")
    return {
        "decline": [_CLASSES[int(number)] for number in _column(rows, "decline_class")],
        "card": funding.tolist(),
    }


def _column(rows: Dataset, name: str) -> Floats:
    return rows.matrix([name])[:, 0]


def report(outcome: Outcome) -> Iterator[str]:
    """Yield the lines that people read."""
    evidence, model = outcome.judged.evidence, outcome.judged.model
    quality, data = evidence.quality, model.metadata["data"]
    yield f"trained on {data['rows']:,} retries, {data['positives']:,} successful; {len(model.features)} features"
    yield (
        f"judged on declines from {evidence.window[0]} to {evidence.window[1]}: {quality['test_rows']:,.0f} retries, "
        f"{quality['test_positives']:,.0f} successful"
    )
    yield ""
    yield from table(outcome, "retry model")
    yield ""
    yield (
        f"said to happened {evidence.calibration['said_to_happened']:.2f}, expected calibration error "
        f"{evidence.calibration['expected_error']:.4f}"
    )


def train_retry(registry: Registry, history: Path, _cache: Path, started_ms: int) -> Iterator[str]:
    """Train, judge and register, yielding what people read; errors as of `judged` and of the registry."""
    outcome = judged(history, champion_in(registry, NAME))
    yield from report(outcome)
    yield published(registry, NAME, outcome, PURPOSE, started_ms)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.training.retry.world", description=__doc__)
    root.add_argument("--history", type=Path, default=WORLD, help="made, with a seed, where it does not exist")
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
        champion = champion_in(registry, NAME) if registry else None
        outcome = judged(made(options.history), champion, days_before_end=options.days_before_end)
        _say(report(outcome))
        if options.artifact:
            outcome.judged.model.save(options.artifact)
        if registry:
            _say([published(registry, NAME, outcome, PURPOSE, started_ms)])
    except (ValueError, ArtifactError, RegistryError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
