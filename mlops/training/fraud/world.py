"""Trains the fraud model on a history and judges it on later days: `python -m mlops.training.fraud.world`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from mlops.features.payment import OWN_FEATURES
from mlops.features.windows import DAY_US
from mlops.training.attempts import Attempts, attempts_in
from mlops.training.baseline import LogisticRegression
from mlops.training.candidates import Candidate, Champion, Outcome, compared, table
from mlops.training.cards import Purpose
from mlops.training.command import run, trainer
from mlops.training.fraud.truth import fraud_labels
from mlops.training.fraud.world_recipe import RECIPE, REGISTERED_NAME
from mlops.training.judging import Answers
from mlops.training.provenance import code_version
from mlops.training.recipe import of_short_history, train

DECLINE: Final = "decline"
ASKED: Final = "payment.succeeded"
"""What the workflow asks about fraud (`workflows/payment_event/questions.py`). Failed attempts are learned from too."""
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


def fraud_attempts(history: Path, cache: Path) -> Attempts:
    """Every attempt, and whether it was fraud; ValueError where the history lacks something."""
    rows, end_us = attempts_in(history, cache)
    labels = fraud_labels(history, rows.column("payment_id"), rows.column("occurred_us").to_numpy())
    asked = pc.equal(rows.column("event_type"), ASKED).to_numpy(zero_copy_only=False)
    return Attempts.of(rows, labels, asked=asked, end_us=end_us, segments=("currency", "merchant_id", "recurring"))


def judged(history: Path, cache: Path, champion: Champion | None, *, days_before_end: int = 0) -> Outcome:
    """Train on a history and judge on its last settled days, against a champion where there is one.

    `days_before_end` is for choosing a recipe: all is as it was so many days before the history's end.

    Raises:
        ValueError: the history lacks something, or is too short.
    """
    attempts = fraud_attempts(history, cache)
    # The first days are learned from too: where a platform has just been connected everybody is new to it, and whoever
    # has not seen that takes them all for thieves.
    split = attempts.split(attempts.end_us - days_before_end * DAY_US, warm_up_days=0)
    model = train(split.trained, of_short_history(RECIPE, split.trained), code_version=code_version())
    regression = LogisticRegression.of(split.trained, OWN_FEATURES)
    simple = Answers("logistic regression", regression.predict(split.tested), model.thresholds[DECLINE])
    return compared(split, model, simple, champion, threshold=DECLINE, history=history)


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


FRAUD: Final = Candidate(REGISTERED_NAME, PURPOSE, judged, report)
train_fraud: Final = trainer(FRAUD)

if __name__ == "__main__":
    sys.exit(run(FRAUD, "python -m mlops.training.fraud.world", __doc__))
