"""Prints the churn model's figures on CDNOW beside those of regressions: `python -m mlops.training.churn.cdnow`."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from mlops.registry.artifact import TrainedModel
from mlops.training.baseline import LogisticRegression
from mlops.training.calibrate import fit
from mlops.training.churn.comparison import Said, calibration_lines, lines, lost
from mlops.training.churn.offers import OFFERS
from mlops.training.churn.purchases import (
    DECREASING,
    FEATURES,
    INCREASING,
    Purchases,
    Snapshot,
    day_number,
    day_of,
    read,
)
from mlops.training.dataset import Bools, Dataset, Floats
from mlops.training.provenance import code_version
from mlops.training.recipe import Recipe, train

DATA: Final = Path(__file__).parents[4] / "shared/data/churn/CDNOW_master.txt"
"""Where the log lies, beside the repository."""
GONE_DAYS: Final = 90
"""Somebody who does not buy within so many days counts as gone: three of four gaps between purchases are shorter."""
EVERY_DAYS: Final = 15
"""Days between the cut-offs that are learned from."""
FIRST_CUTOFF: Final = date(1997, 6, 17)
"""Twelve weeks after the last of the cohort made a first purchase: before, nearly everybody is new."""
TEST_CUTOFF: Final = date(1998, 4, 1)
"""The last one: its 90 days end with 1998-06-29, the data with 1998-06-30."""
VALIDATION_CUTOFFS: Final = (date(1997, 12, 1), date(1998, 1, 1), date(1998, 2, 1), date(1998, 3, 1))
PLAIN: Final = ("days_since_last", "purchases", "amount_mean")
"""Recency, frequency, amount."""
_DAY_SECONDS: Final = 86_400

RECIPE: Final = Recipe(
    name="churn-cdnow",
    features=FEATURES,
    increasing=INCREASING,
    decreasing=DECREASING,
    rounds=300,
    params=MappingProxyType(
        {
            "learning_rate": 0.02,
            "num_leaves": 8,
            "min_data_in_leaf": 300,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.5,
            "bagging_freq": 1,
            "lambda_l2": 50.0,
        }
    ),
    calibration="platt",
    calibration_days=EVERY_DAYS,
    costs=OFFERS,
)
"""Chosen on `VALIDATION_CUTOFFS` (docs/models.md)."""


def rows_at(purchases: Purchases, days: Iterable[int]) -> Dataset:
    """Everybody who bought before each of these days, and whether nobody saw them in the `GONE_DAYS` from it on."""
    parts = [_rows_at(purchases, day) for day in days]
    return Dataset(
        FEATURES,
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.seconds for part in parts]),
        np.concatenate([part.card for part in parts]),
        np.concatenate([part.amount_cents for part in parts]),
        np.concatenate([part.asked for part in parts]),
    )


def _rows_at(purchases: Purchases, day: int) -> Dataset:
    known = Snapshot.of(purchases, day)
    returned = purchases.customer[(purchases.day >= day) & (purchases.day < day + GONE_DAYS)]
    return Dataset.of_columns(
        {name: known.values[name] for name in FEATURES},
        label=~np.isin(known.customer, returned),
        seconds=np.full(len(known.customer), day * _DAY_SECONDS),
        card=known.customer,
        amount_cents=known.cents,
    )


def learned_from(test_day: int) -> range:
    """The cut-offs whose 90 days are over when the test's begin, every 15 days back to the first."""
    return range(test_day - GONE_DAYS, day_number(FIRST_CUTOFF) - 1, -EVERY_DAYS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of a cut-off's customers, by the model and by those that it is to beat."""

    model: TrainedModel
    rows: Dataset
    own: Said
    plain: Said
    """The regression on recency, frequency and amount."""
    others: tuple[Said, ...]


def tried(
    purchases: Purchases, test_day: int, version: str, recipe: Recipe = RECIPE, *, learn_from: Purchases | None = None
) -> Outcome:
    """Train on what is known when the test's day begins, and ask for everybody who bought before.

    A log of few customers is better judged by what is learned from another one, of the same days.

    Raises:
        ValueError: the log does not hold the test's 90 days, or that which is learned from too little before them.
    """
    learned = purchases if learn_from is None else learn_from
    if purchases.day.max() < test_day + GONE_DAYS - 1 or not len(learned_from(test_day)):
        raise ValueError(
            f"the log is of {day_of(purchases.day.min())} to {day_of(purchases.day.max())}: a test from "
            f"{day_of(test_day)} needs {GONE_DAYS} days of it, and {GONE_DAYS} after {FIRST_CUTOFF} before it"
        )
    if learned.day.max() < test_day - 1 or learned.day.min() >= min(learned_from(test_day)):
        raise ValueError(f"what is learned from holds other days than those before {day_of(test_day)}")
    trained = rows_at(learned, sorted(learned_from(test_day)))
    tested = rows_at(purchases, [test_day])
    model = train(trained, recipe, code_version=version)
    plain, calibrated = _regressions(trained, tested, PLAIN)
    return Outcome(
        model,
        tested,
        Said("Tidegate", model.predict(tested.matrix(model.features))),
        Said("recency, frequency, amount", plain),
        (
            Said("the same, calibrated as Tidegate is", calibrated),
            Said("regression on Tidegate's features", _regressions(trained, tested, FEATURES)[0]),
        ),
    )


def _regressions(trained: Dataset, tested: Dataset, features: Sequence[str]) -> tuple[Floats, Floats]:
    """A regression on logarithms, and the same calibrated on the last cut-off by one of those before."""
    trained, tested = _logarithms(trained), _logarithms(tested)
    said = LogisticRegression.of(trained, features).predict(tested)
    late = trained.seconds == trained.seconds.max()
    rehearsal = LogisticRegression.of(trained.where(~late), features).predict(trained.where(late))
    calibration = fit("platt", _log_odds(rehearsal), trained.label[late])
    return said, calibration.probability(_log_odds(said))


def _log_odds(probability: Floats) -> Floats:
    """Log-odds."""
    return np.log(probability / (1 - probability))


def _logarithms(rows: Dataset) -> Dataset:
    return replace(rows, values=np.log1p(rows.values))


def report(outcome: Outcome, test_day: int) -> Iterator[str]:
    """Yield the lines of a cut-off's report."""
    data = outcome.model.metadata["data"]
    first, last = (day_of(data[name] // _DAY_SECONDS) for name in ("first_second", "last_second"))
    yield f"cut-off {day_of(test_day)}: gone is who buys nothing up to {day_of(test_day + GONE_DAYS - 1)}"
    yield f"learned from {data['rows']:,} rows of cut-offs from {first} to {last}"
    everybody = np.ones(len(outcome.rows), dtype=bool)
    recent = outcome.rows.matrix(["days_since_last"])[:, 0] <= GONE_DAYS
    for name, chosen in (("every customer", everybody), (f"bought in the {GONE_DAYS} days before", recent)):
        yield ""
        yield f"{name}: {int(chosen.sum()):,}"
        yield from lines(*_part(outcome, chosen))
    yield ""
    yield from calibration_lines(outcome.rows.label, outcome.own)
    yield from calibration_lines(outcome.rows.label, outcome.plain)


def _part(outcome: Outcome, chosen: Bools) -> tuple[Dataset, Said, tuple[Said, ...]]:
    own, *others = (Said(s.name, s.probability[chosen]) for s in (outcome.own, outcome.plain, *outcome.others))
    return outcome.rows.where(chosen), own, tuple(others)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.training.churn.cdnow", description=__doc__)
    root.add_argument("--data", type=Path, default=DATA, help="a log in CDNOW's format")
    root.add_argument(
        "--learn-from",
        type=Path,
        default=DATA if DATA.is_file() else None,
        help="the log to learn from, of the same days: --data may hold few customers (default: CDNOW's, where it lies)",
    )
    root.add_argument("--cut-off", type=date.fromisoformat, default=TEST_CUTOFF, help="the day the test begins")
    root.add_argument(
        "--validate", action="store_true", help="the cut-offs the recipe was chosen on, in place of the test"
    )
    root.add_argument("--artifact", type=Path, help="write the model's folder here")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; 1 where the model is not better in every measure, 2 where nothing can be made of the data."""
    options = parser().parse_args(argv)
    cutoffs = VALIDATION_CUTOFFS if options.validate else (options.cut_off,)
    try:
        purchases, beaten = read(options.data), True
        learn_from = read(options.learn_from) if options.learn_from else None
        for cutoff in cutoffs:
            outcome = tried(purchases, day_number(cutoff), code_version(), learn_from=learn_from)
            _say([*report(outcome, day_number(cutoff)), ""])
            if behind := lost(outcome.rows, outcome.own, outcome.plain):
                beaten = False
                _say([f"not better than {outcome.plain.name} in {', '.join(behind)}"])
        if options.artifact:
            outcome.model.save(options.artifact)
    except FileNotFoundError as error:
        sys.stderr.write(f"{error.filename} does not exist; CDNOW's log is public: give its file with --data\n")
        return 2
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0 if beaten else 1


def _say(lines_: Iterable[str]) -> None:
    for line in lines_:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
