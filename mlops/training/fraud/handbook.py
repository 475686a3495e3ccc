"""Prints the fraud model's figures beside the Handbook's: `python -m mlops.training.fraud.handbook`."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from mlops.registry.artifact import TrainedModel
from mlops.training import evaluation
from mlops.training.dataset import Dataset
from mlops.training.fraud import features, protocol
from mlops.training.fraud.payments import DATA, day_number, day_of, read
from mlops.training.fraud.recipe import COSTS, PUBLISHED_ONLY, RECIPE, WARM_UP_DAYS
from mlops.training.provenance import code_version
from mlops.training.recipe import Recipe, train

TEST_START = date(2018, 8, 8)
VALIDATION_STARTS = tuple(date(2018, 6, 6) + timedelta(weeks=week) for week in range(8))
BARS = protocol.Figures(0.69, 0.88, 0.30)
PUBLISHED = (
    ("Handbook, XGBoost, one week of training", protocol.Figures(0.658, 0.867, 0.287)),
    ("Handbook, best tuned over several weeks", protocol.Figures(0.687, 0.869, 0.303)),
    ("a first LightGBM", protocol.Figures(0.642, 0.879, 0.290)),
)
_BOOTSTRAP_ROUNDS = 200
_WIDTH = 46


@dataclass(frozen=True, slots=True)
class History:
    """Payments with their features, from which each week's training and test rows are taken."""

    payments: features.Payments
    table: Dataset

    @classmethod
    def of(cls, payments: features.Payments) -> "History":
        """Return the payments with all their features."""
        table = Dataset.of_columns(
            features.features(payments),
            label=payments.fraud,
            seconds=payments.seconds,
            card=payments.customer,
            amount_cents=payments.amount_cents,
            asked=protocol.asked(protocol.days(payments), payments),
        )
        return cls(payments, table)

    def known(self, test_start: int) -> Dataset:
        """Return what a model may be trained on for a test week, without the days that only feed the windows."""
        day = protocol.days(self.payments)
        return self.table.where(protocol.trainable(day, test_start) & (day >= day[0] + WARM_UP_DAYS))

    def tested(self, test_start: int) -> Dataset:
        """Return the test week's payments that count.

        Raises:
            ValueError: the data does not reach over the whole week, or leaves too little before it.
        """
        day = protocol.days(self.payments)
        if not day[0] + WARM_UP_DAYS + 2 * protocol.TEST_DAYS < test_start <= day[-1] + 1 - protocol.TEST_DAYS:
            raise ValueError(
                f"the data is of {day_of(day[0])} to {day_of(day[-1])}: a test week from {day_of(test_start)} does not "
                "lie in it with history before it; give files that reach further with --data"
            )
        return self.table.where(protocol.test_week(day, self.payments, test_start))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A model and what it said of its test week."""

    model: TrainedModel
    rows: Dataset
    probability: evaluation.Floats

    @property
    def figures(self) -> protocol.Figures:
        """The Handbook's figures."""
        return protocol.judge(self.rows, self.probability)


def tried(history: History, test_start: int, recipe: Recipe, version: str) -> Outcome:
    """Return the outcome of training on what was known when the test week starts, and asking for the test week."""
    rows = history.tested(test_start)
    model = train(history.known(test_start), recipe, code_version=version)
    return Outcome(model, rows, model.predict(rows.matrix(model.features)))


def intervals(outcome: Outcome) -> dict[str, evaluation.Interval]:
    """Return each figure with an interval from resampling cards."""
    rows, score = outcome.rows, outcome.probability
    day = rows.seconds // features.DAY

    def cards(chosen: evaluation.Ints, copies: evaluation.Ints) -> float:
        return evaluation.card_precision_at(copies, day[chosen], rows.label[chosen], score[chosen])

    measures = {
        "average precision": lambda chosen, _: evaluation.average_precision(rows.label[chosen], score[chosen]),
        "ROC AUC": lambda chosen, _: evaluation.roc_auc(rows.label[chosen], score[chosen]),
        "card precision@100": cards,
        "Brier": lambda chosen, _: evaluation.brier(rows.label[chosen], score[chosen]),
    }
    return {
        name: evaluation.bootstrap(measure, rows.card, rounds=_BOOTSTRAP_ROUNDS, seed=1)
        for name, measure in measures.items()
    }


def report(outcome: Outcome, test_start: int, baseline: Outcome) -> Iterator[str]:
    """Yield the lines of a test week's report."""
    yield f"test week {day_of(test_start)} to {day_of(test_start + protocol.TEST_DAYS - 1)}: {_what(outcome.rows)}"
    yield _trained(outcome.model)
    yield ""
    yield f"{'':{_WIDTH}} {'AP':>7} {'AUC':>7} {'CP@100':>7}"
    if day_of(test_start) == TEST_START:
        yield from (_row(name, figures) for name, figures in PUBLISHED)
        yield _row("bar", BARS)
    yield _row("published 15 features, this recipe", baseline.figures)
    yield _row("Tidegate", outcome.figures)
    yield ""
    for name, interval in intervals(outcome).items():
        yield f"{name:20} {interval.value:.4f}  (95 % of resampled cards: {interval.low:.4f} to {interval.high:.4f})"
    yield ""
    yield from calibration_lines(outcome)
    yield ""
    yield from decision_lines(outcome)


def decision_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what the thresholds do to the test week, and what it costs."""
    costs, thresholds = COSTS, outcome.model.thresholds
    label, said = outcome.rows.label, outcome.probability
    declined, reviewed = said >= thresholds["decline"], said >= thresholds["review"]
    reviewed &= ~declined
    for name, rows in (("declined", declined), ("reviewed", reviewed), ("let through", ~declined & ~reviewed)):
        share = label[rows].mean() if rows.any() else 0.0
        yield f"{name:12} {int(rows.sum()):7,} payments, {int(label[rows].sum()):4} of them frauds ({share:.1%})"
    cost = (
        costs.wrongly_declined * int((declined & ~label).sum())
        + costs.review * int(reviewed.sum())
        + costs.missed * int((label & ~declined & ~reviewed).sum())
    )
    yield (
        f"review from {thresholds['review']:.3f}, decline from {thresholds['decline']:.3f}: costs {cost / 100:,.0f}; "
        f"letting everything through {costs.missed * int(label.sum()) / 100:,.0f}"
    )


def calibration_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what was said and what happened."""
    label, said = outcome.rows.label, outcome.probability
    base = np.full(len(label), label.mean())
    yield (
        f"calibration ({outcome.model.calibration.method}): Brier {evaluation.brier(label, said):.5f} "
        f"(always the rate: {evaluation.brier(label, base):.5f}), log loss {evaluation.log_loss(label, said):.5f}, "
        f"ECE {evaluation.expected_calibration_error(label, said):.5f}"
    )
    yield f"{'probability':>15} {'payments':>9} {'said':>8} {'happened':>9}"
    for row in evaluation.reliability(label, said):
        yield f"{row.low:7.3f}-{row.high:<7.3f} {row.rows:9,} {row.said:8.4f} {row.happened:9.4f}"


def validation(history: History, version: str) -> Iterator[str]:
    """Yield a line for each validation week: the same protocol, earlier."""
    yield f"{'validation week':{_WIDTH}} {'AP':>7} {'AUC':>7} {'CP@100':>7} {'Brier':>8} {'ECE':>8}"
    for start in VALIDATION_STARTS:
        for name, recipe in (("published 15", PUBLISHED_ONLY), ("Tidegate", RECIPE)):
            outcome = tried(history, day_number(start), recipe, version)
            label, said = outcome.rows.label, outcome.probability
            yield _row(f"{start}, {name}", outcome.figures) + (
                f" {evaluation.brier(label, said):8.5f} {evaluation.expected_calibration_error(label, said):8.5f}"
            )


def _row(name: str, figures: protocol.Figures) -> str:
    values = (figures.average_precision, figures.roc_auc, figures.card_precision_100)
    return f"{name:{_WIDTH}} " + " ".join(f"{value:7.3f}" for value in values)


def _trained(model: TrainedModel) -> str:
    data = model.metadata["data"]
    first, last = (day_of(data[name] // features.DAY) for name in ("first_second", "last_second"))
    return f"trained on {first} to {last}: {data['rows']:,} payments, {data['positives']:,} frauds"


def _what(rows: Dataset) -> str:
    return f"{len(rows):,} payments, {int(rows.label.sum())} frauds ({rows.label.mean():.2%})"


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.training.fraud.handbook", description=__doc__)
    root.add_argument("--data", type=Path, action="append", help=f"Parquet file or folder, repeatable ({DATA.name}/)")
    root.add_argument("--test-start", type=date.fromisoformat, default=TEST_START, help="first day of the test week")
    root.add_argument(
        "--validate", action="store_true", help="the weeks the recipe was chosen on, in place of the test"
    )
    root.add_argument("--artifact", type=Path, help="write the model's folder here")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; 1 when the published test week misses a bar."""
    options = parser().parse_args(argv)
    history, version = History.of(read(options.data or [DATA])), code_version()
    if options.validate:
        _say(validation(history, version))
        return 0
    start = day_number(options.test_start)
    outcome = tried(history, start, RECIPE, version)
    _say(report(outcome, start, tried(history, start, PUBLISHED_ONLY, version)))
    if options.artifact:
        outcome.model.save(options.artifact)
        _say(["", f"model written to {options.artifact}"])
    return 1 if options.test_start == TEST_START and missed(outcome.figures) else 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def missed(figures: protocol.Figures) -> list[str]:
    """Return the names of the bars that the figures miss."""
    return [
        name
        for name in ("average_precision", "roc_auc", "card_precision_100")
        if getattr(figures, name) < getattr(BARS, name)
    ]


if __name__ == "__main__":
    sys.exit(main())
