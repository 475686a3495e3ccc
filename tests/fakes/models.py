"""Small trained models as folders, for tests and benchmarks: real boosters over the catalog's features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import lightgbm
import numpy as np

from mlops.registry.artifact import ReasonText, TrainedModel
from mlops.registry.calibration import Calibration
from mlops.registry.retry.inputs import FEATURES as RETRY_FEATURES
from mlops.registry.retry.policy import Continuation, Policy, Terms

FEATURES: Final = (
    "amount_usd",
    "card_foreign",
    "failed_payments_7d",
    "total_payments_30d",
    "amount_zscore",
    "card_attempts_1h",
    "card_distinct_customers_24h",
    "merchant_decline_rate_24h",
)
THRESHOLDS: Final[Mapping[str, float]] = {"review": 0.3, "decline": 0.7}


def trained(
    *,
    features: Sequence[str] = FEATURES,
    thresholds: Mapping[str, float] = THRESHOLDS,
    always: float | None = None,
    trees: int = 10,
    seed: int = 1,
    metadata: Mapping[str, Any] = MappingProxyType({"name": "fraud"}),
) -> TrainedModel:
    """A model in which the first column raises the probability; `always` makes it answer that one probability."""
    random = np.random.default_rng(seed)
    rows = random.normal(50, 30, size=(2_000, len(features)))
    labels = rows[:, 0] + random.normal(0, 20, size=len(rows)) > 80
    params: dict[str, Any] = {
        "objective": "binary",
        "num_leaves": 15,
        "verbose": -1,
        "num_threads": 1,
        "seed": seed,
        "deterministic": True,
    }
    booster = lightgbm.train(params, lightgbm.Dataset(rows, labels.astype(np.float64)), trees)
    if always is None:
        calibration = Calibration("platt", (1.0, 0.0))
    else:
        calibration = Calibration("platt", (0.0, float(np.log(always / (1 - always)))))
    return TrainedModel(
        booster=booster,
        features=tuple(features),
        calibration=calibration,
        thresholds=thresholds,
        reasons={"amount_usd": ReasonText("amount.high", "the amount is about USD {value}")},
        metadata=metadata,
    )


def folder(where: Path, **what: Any) -> Path:
    """The same, saved."""
    trained(**what).save(where)
    return where


def retry_folder(where: Path, **what: Any) -> Path:
    """A model of retries, with a policy that weighs the money and looks a little ahead."""
    policy = Policy(Terms(), Continuation((0.1, 0.6), (0.0, 14.0), (((0.0, 0.0),) * 2, ((0.0, 0.2), (0.0, 0.5)))))
    metadata = {"name": "retry", "policy": policy.as_json()}
    return folder(where, features=RETRY_FEATURES, thresholds={"likely": 0.5}, metadata=metadata, **what)


def churn_folder(where: Path, *, horizon_days: int | None = 30, **what: Any) -> Path:
    """A model of who leaves, of so many days; None leaves it unsaid."""
    metadata: dict[str, Any] = {"name": "churn"} | ({} if horizon_days is None else {"horizon_days": horizon_days})
    return folder(where, **{"thresholds": {"medium": 0.2, "high": 0.6}, "metadata": metadata, **what})
