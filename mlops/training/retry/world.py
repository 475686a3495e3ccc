"""Trains the retry model on one history and judges it on later declines: `python -m mlops.training.retry.world`."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

import numpy as np
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from mlops.registry.retry.inputs import DAY_S, Floats
from mlops.registry.retry.policy import Terms
from mlops.training.attempts import WARM_UP_DAYS, Split, judging_days
from mlops.training.baseline import LogisticRegression
from mlops.training.candidates import Candidate, Champion, Outcome, compared, table
from mlops.training.cards import Purpose
from mlops.training.command import run, trainer
from mlops.training.dataset import Dataset, HistoryTooShortError
from mlops.training.judging import Answers
from mlops.training.provenance import code_version
from mlops.training.retry.decisions import Decision, decisions
from mlops.training.retry.recipe import LIKELY, NAME, Recipe, dataset, train

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
class Ages:
    """Decisions to learn from, and retries after later declines that judge."""

    trained: list[Decision]
    tested: list[Decision]

    @classmethod
    def of(cls, decided: Sequence[Decision], *, days_before_end: int = 0) -> Self:
        """Split in time, since serving is later than training too, and knows most customers from before.

        The first days only make a past. What is learned from had all come to its end when the days that judge began,
        and these had when the history ended: else short waits would be overrepresented.

        Raises:
            HistoryTooShortError: too little history.
        """
        declined_s = [each.situation.declined_s for each in decided] or [0]
        end_s = max(declined_s)
        until_s = end_s - (OUTCOME_DAYS + days_before_end) * DAY_S
        first_s = min(declined_s)
        test_days = judging_days(TEST_DAYS, (end_s - first_s) // DAY_S - days_before_end, OUTCOME_DAYS)
        from_s = until_s - test_days * DAY_S
        # In the first days nobody's past is known: rows of them are unlike all that serving sees later.
        warm_s, known_s = first_s + WARM_UP_DAYS * DAY_S, from_s - OUTCOME_DAYS * DAY_S
        trained = [each for each in decided if warm_s <= each.situation.declined_s < known_s]
        tested = [
            each for each in decided if from_s <= each.situation.declined_s < until_s and each.retry_s is not None
        ]
        if not tested or not any(each.retry_s is not None for each in trained):
            raise HistoryTooShortError(
                f"the history is too short: {WARM_UP_DAYS} days whose own past is not known, {test_days} of test and "
                f"twice {OUTCOME_DAYS} for outcomes leave no retry to learn from; make one of a year"
            )
        return cls(trained, tested)


def judged(
    history: Path,
    cache: Path,  # noqa: ARG001 - there is no table to keep: declines are read in seconds
    champion: Champion | None,
    *,
    days_before_end: int = 0,
) -> Outcome:
    """Train on a history and judge on its last declines, against a champion where there is one.

    Raises:
        ValueError: the history lacks something, or is too short.
    """
    ages = Ages.of(decisions(history), days_before_end=days_before_end)
    model = train(ages.trained, RECIPE, Terms(), code_version=code_version())
    trained, tested = dataset([each for each in ages.trained if each.retry_s is not None]), dataset(ages.tested)
    regression = LogisticRegression.of(_plain(trained), PLAIN)
    simple = Answers("decline class and wait", regression.predict(_plain(tested)), model.thresholds[LIKELY])
    split = Split(trained, tested, _segments(tested))
    return compared(split, model, simple, champion, threshold=LIKELY, history=history)


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


RETRY: Final = Candidate(NAME, PURPOSE, judged, report)
train_retry: Final = trainer(RETRY)

if __name__ == "__main__":
    sys.exit(run(RETRY, "python -m mlops.training.retry.world", __doc__))
