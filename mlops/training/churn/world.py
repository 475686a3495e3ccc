"""Trains the churn model on a history and judges it on later days: `python -m mlops.training.churn.world`."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from mlops.features.windows import DAY_US
from mlops.registry.artifact import TrainedModel
from mlops.training.attempts import Attempts, attempts_in
from mlops.training.baseline import LogisticRegression
from mlops.training.candidates import Candidate, Champion, Outcome, compared, table
from mlops.training.cards import Purpose
from mlops.training.churn.offers import HIGH
from mlops.training.churn.truth import HORIZON_DAYS, leaving
from mlops.training.churn.world_recipe import RECIPE, REGISTERED_NAME
from mlops.training.command import run, trainer
from mlops.training.dataset import Dataset
from mlops.training.evaluation import roc_auc
from mlops.training.judging import Answers
from mlops.training.provenance import code_version
from mlops.training.recipe import of_short_history, train

PLAIN: Final = ("days_since_last_success", "succeeded_payments_90d", "amount_usd")
"""Recency, frequency, amount."""
_PARTS: Final = {
    "subscribers, failed": ("yes", "yes"),
    "subscribers, succeeded": ("yes", "no"),
    "a store's, failed": ("no", "yes"),
    "a store's, succeeded": ("no", "no"),
}
PURPOSE: Final = Purpose(
    "Churn",
    "The probability that the customer of a payment leaves within 30 days of it; whether to watch, or to act.",
    "Attempts to pay by known customers of one history who had not left, with what was known of them when the days "
    "that judge it began.",
    (
        "Learned in a world that is made up (docs/world.md): that it finds the structure there says nothing of yours.",
        "A store learns of no leaving: that a customer came for the last time is known to the world alone.",
        "Of who leaves by will little can be seen in payments; most of what it tells apart are failed payments.",
        "It is of 30 days; other horizons are answered by rules.",
    ),
    wrongly="Said to be of high risk, and stayed",
)


def churn_attempts(history: Path, cache: Path) -> Attempts:
    """Attempts of customers who had not left, and whether they did; ValueError where the history lacks something.

    The workflow asks about all of them, a store's customers too: half of the events of a subscription do not say so.
    """
    rows, end_us = attempts_in(history, cache)
    truth = leaving(history, rows)
    rows = rows.filter(pa.array(truth.asked)).append_column("subscribes", pa.array(truth.subscribes))
    asked = np.ones(rows.num_rows, dtype=bool)
    return Attempts.of(rows, truth.labels, asked=asked, end_us=end_us, segments=("currency", "subscribes", "failed"))


def judged(history: Path, cache: Path, champion: Champion | None, *, days_before_end: int = 0) -> Outcome:
    """Train on a history and judge on its last settled days, against a champion where there is one.

    Raises:
        ValueError: the history lacks something, or is too short.
    """
    attempts = churn_attempts(history, cache)
    split = attempts.split(attempts.end_us - days_before_end * DAY_US)
    model = _of_horizon(train(split.trained, of_short_history(RECIPE, split.trained), code_version=code_version()))
    regression = LogisticRegression.of(_plain(split.trained), PLAIN)
    said = regression.predict(_plain(split.tested))
    simple = Answers("recency, frequency, amount", said, model.thresholds[HIGH])
    return compared(split, model, simple, champion, threshold=HIGH, history=history)


def _of_horizon(model: TrainedModel) -> TrainedModel:
    return replace(model, metadata=dict(model.metadata) | {"horizon_days": HORIZON_DAYS})


def _plain(rows: Dataset) -> Dataset:
    return replace(rows, features=PLAIN, values=np.log1p(rows.matrix(PLAIN)))


def report(outcome: Outcome) -> Iterator[str]:
    """Yield the lines that people read."""
    evidence, model = outcome.judged.evidence, outcome.judged.model
    quality, data = evidence.quality, model.metadata["data"]
    yield f"trained on {data['rows']:,} attempts, {data['positives']:,} of customers about to leave"
    yield (
        f"judged on {evidence.window[0]} to {evidence.window[1]}: {quality['test_rows']:,.0f} attempts, "
        f"{quality['test_positives']:,.0f} of customers who left within 30 days"
    )
    yield ""
    yield from table(outcome, "churn model")
    yield ""
    yield from _parts(outcome)
    yield ""
    yield (
        f"said to happened {evidence.calibration['said_to_happened']:.2f}, said to be of high risk and stayed "
        f"{evidence.false_positive_rate:.3%}"
    )


def _parts(outcome: Outcome) -> Iterator[str]:
    """Yield what was said and what happened where events differ most: calibration on average hides much."""
    own, plain = outcome.judged.answers[:2]
    label = outcome.judged.label
    yield f"{'':26} {'attempts':>9} {'happened':>9} {'said':>9} {'plain':>9} {'AUC':>9} {'plain':>9}"
    parts = list(zip(outcome.segments["subscribes"], outcome.segments["failed"], strict=True))
    for name, part in _PARTS.items():
        rows = np.array([each == part for each in parts])
        said = [each.probability[rows] for each in (own, plain)]
        means = [label[rows].mean(), *(each.mean() for each in said)]
        if 0 < means[0] < 1:
            means += [roc_auc(label[rows], each) for each in said]
        yield f"{name:26} {int(rows.sum()):9,} " + " ".join(f"{mean:9.4f}" for mean in means)


CHURN: Final = Candidate(REGISTERED_NAME, PURPOSE, judged, report)
train_churn: Final = trainer(CHURN)

if __name__ == "__main__":
    sys.exit(run(CHURN, "python -m mlops.training.churn.world", __doc__))
