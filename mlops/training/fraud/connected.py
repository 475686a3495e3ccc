"""How the fraud model treats a platform that has just been connected: `python -m mlops.training.fraud.connected`.

The first days of a world that it was not taught: everybody is new, and most are honest. Beside it stands the same
recipe, taught without its own world's first days.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from mlops.features.windows import DAY_US
from mlops.registry.artifact import TrainedModel
from mlops.training.attempts import WARM_UP_DAYS, Attempts
from mlops.training.dataset import Bools
from mlops.training.fraud.world import fraud_attempts
from mlops.training.fraud.world_recipe import RECIPE
from mlops.training.provenance import code_version
from mlops.training.recipe import train
from mlops.training.worlds import CACHE, DATA, WORLD, made

_SEED: Final = 77
_DAYS: Final = (0, 1, 3, 7, 14, 30)
_REVIEW: Final = "review"


def main() -> int:
    """Print how many honest payments would be reviewed, and how many frauds, by the platform's age in days."""
    try:
        taught = fraud_attempts(made(WORLD), CACHE)
        models = {
            "warm": _model(taught, warm_up_days=WARM_UP_DAYS),
            "ours": _model(taught, warm_up_days=0),
        }
        young = fraud_attempts(made(DATA / f"world-{_SEED}", seed=_SEED), CACHE)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in table(models, young, _DAYS):
        sys.stdout.write(line + "\n")
    return 0


def _model(attempts: Attempts, *, warm_up_days: int) -> TrainedModel:
    return train(attempts.split(warm_up_days=warm_up_days).trained, RECIPE, code_version=code_version())


def table(models: dict[str, TrainedModel], young: Attempts, days: Sequence[int]) -> Iterator[str]:
    """Yield a line for each span of days: the share that each model would have reviewed."""
    names = " ".join(f"{name:>16} {'':>16}" for name in models)
    yield f"{'days':>8} {'honest':>7} {'frauds':>7} {names}"
    yield f"{'':>24} " + " ".join(f"{'honest reviewed':>16} {'frauds reviewed':>16}" for _ in models)
    occurred = young.labels.occurred_us
    age_days = (occurred - int(occurred[0])) // DAY_US
    reviewed = {
        name: model.predict(young.values.matrix(model.features)) >= model.thresholds[_REVIEW]
        for name, model in models.items()
    }
    for start, end in pairwise(days):
        rows = young.values.asked & (age_days >= start) & (age_days < end)
        frauds, honest = rows & young.labels.label, rows & ~young.labels.label
        shares = " ".join(f"{_share(those, honest):>16} {_share(those, frauds):>16}" for those in reviewed.values())
        yield f"{f'{start} to {end}':>8} {int(honest.sum()):>7,} {int(frauds.sum()):>7,} {shares}"


def _share(reviewed: Bools, of: Bools) -> str:
    return f"{reviewed[of].mean():.1%}" if of.any() else "-"


if __name__ == "__main__":
    sys.exit(main())
