"""The rows that dashboards read: one class for each table of the schema `tidegate`, with its columns as fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from mlops.monitoring.thresholds import State


@dataclass(frozen=True, slots=True)
class FeatureSkewRow:
    """How the served values of one feature compare with the offline ones."""

    TABLE: ClassVar = "feature_skew"
    KEY: ClassVar = ("model_name", "model_version", "day", "feature")

    model_name: str
    model_version: str
    day: date
    feature: str
    compared: int
    equal: int
    close: int
    behind: int
    ahead: int
    missing_online: int
    missing_offline: int
    different: int
    stale: int
    not_compared: Mapping[str, int]
    largest_difference: float | None
    examples: tuple[str, ...]
    skew_share: float | None
    race_share: float | None
    state: State


@dataclass(frozen=True, slots=True)
class FeatureDriftRow:
    """How one feature's values of a day lie against those of the rows that judged the model."""

    TABLE: ClassVar = "feature_drift"
    KEY: ClassVar = ("model_name", "model_version", "day", "feature")

    model_name: str
    model_version: str
    day: date
    feature: str
    predictions: int
    missing_share: float
    reference_missing_share: float
    psi: float | None
    psi_by_chance: float | None
    ks: float | None
    ks_p_value: float | None
    state: State


@dataclass(frozen=True, slots=True)
class ScoreDriftRow:
    """The same of the scores."""

    TABLE: ClassVar = "score_drift"
    KEY: ClassVar = ("model_name", "model_version", "day")

    model_name: str
    model_version: str
    day: date
    predictions: int
    mean_score: float
    psi: float | None
    psi_by_chance: float | None
    ks: float | None
    ks_p_value: float | None
    state: State


@dataclass(frozen=True, slots=True)
class PerformanceRow:
    """What came of a day's answers, as far as that can be known by now."""

    TABLE: ClassVar = "model_performance"
    KEY: ClassVar = ("model_name", "model_version", "day")

    model_name: str
    model_version: str
    day: date
    question: str
    label_delay_days: int
    predictions: int
    pending: int
    unobserved: int
    settled: int
    happened: int
    said: float
    said_to_happened: float | None
    average_precision: float | None
    roc_auc: float | None
    brier: float | None
    threshold_name: str | None
    threshold: float | None
    flagged: int | None
    precision_at_threshold: float | None
    state: State


Row = FeatureSkewRow | FeatureDriftRow | ScoreDriftRow | PerformanceRow
