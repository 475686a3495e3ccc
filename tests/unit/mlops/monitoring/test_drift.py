"""Days are compared with what judged the version, and too few predictions are called so."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mlops.monitoring.drift import Drift
from mlops.monitoring.performance import DAY_US
from mlops.monitoring.predictions import Names, Prediction, Served, day_of
from mlops.monitoring.report import told_of_drift
from mlops.monitoring.rows import FeatureDriftRow, ScoreDriftRow
from mlops.monitoring.thresholds import State, thresholds_of
from mlops.registry.profile import Floats, Profile

THRESHOLDS = thresholds_of()
NAMES = ("customer_stats:steady", "card_stats:moved", "payment:seldom", "payment:unknown_to_the_profile")
MONDAY = 20_000 * DAY_US


def rows(seed: int, count: int, *, moved: float = 0.0) -> Floats:
    random = np.random.default_rng(seed)
    table = random.normal(size=(count, 4))
    table[:, 1] += moved
    table[random.random(count) < 0.9, 2] = np.nan
    return table


REFERENCE = rows(1, 5_000)
PROFILE = Profile.of(("steady", "moved", "seldom"), REFERENCE, np.abs(REFERENCE[:, 0]) / 10, {"decline": 0.9})


def predictions(table: Floats, at_us: int = MONDAY, version: str = "3", *, fallback: bool = False) -> list[Prediction]:
    return [
        Prediction(
            served=Served("fraud", version, day_of(at_us)),
            question="fraud",
            event_id=None,
            payment_id="pi_1",
            score=abs(row[0]) / 10,
            names=NAMES,
            values=row.tolist(),
            stale=(),
            used=True,
            fallback=fallback,
            occurred_us=at_us,
            predicted_us=at_us,
        )
        for row in table
    ]


def found(*days: list[Prediction]) -> tuple[Drift, list[FeatureDriftRow | ScoreDriftRow]]:
    drift = Drift(lambda _, version: PROFILE if version == "3" else None, THRESHOLDS)
    for day in days:
        drift.add(day)
    return drift, list(drift.rows())


def states(of: list[FeatureDriftRow | ScoreDriftRow]) -> dict[str, State]:
    return {row.feature if isinstance(row, FeatureDriftRow) else "score": row.state for row in of}


def test_a_feature_that_moved_is_found_and_no_other() -> None:
    _, made = found(predictions(rows(2, 2_500, moved=1)))
    assert states(made) == {
        "customer_stats:steady": State.OK,
        "card_stats:moved": State.ALERT,
        "payment:seldom": State.OK,
        "score": State.OK,
    }
    assert {row.predictions for row in made} == {2_500}


def test_values_that_went_missing_are_found() -> None:
    table = rows(2, 1_000)
    table[:500, 0] = np.nan
    _, made = found(predictions(table))
    (steady,) = [row for row in made if isinstance(row, FeatureDriftRow) and row.feature.endswith("steady")]
    assert (steady.missing_share, steady.reference_missing_share) == (0.5, 0)
    assert steady.state is State.ALERT


def test_days_and_versions_are_told_apart() -> None:
    drift, made = found(
        predictions(rows(2, 300)), predictions(rows(3, 200), MONDAY + DAY_US), predictions(rows(4, 100), version="2")
    )
    scores = [row for row in made if isinstance(row, ScoreDriftRow)]
    assert [(row.day, row.predictions) for row in scores] == [(day_of(MONDAY), 300), (day_of(MONDAY + DAY_US), 200)]
    assert drift.without_profile == ["fraud version 2"]
    assert "fraud version 2 has no profile.json" in told_of_drift(made, drift.without_profile).findings[-1]


def test_what_rules_answered_is_no_drift_of_the_model() -> None:
    assert found(predictions(rows(2, 10), fallback=True))[1] == []


def test_a_retry_is_compared_in_what_the_model_did_not_choose() -> None:
    """The reference is of retries at moments that nothing chose; half of the answers are that none is worth it."""
    names = ("payment:amount_usd", "payment:wait_hours")
    random = np.random.default_rng(5)
    reference = random.uniform(size=(5_000, 2))
    profile = Profile.of(tuple(name.removeprefix("payment:") for name in names), reference, reference[:, 0] / 2, {})
    alike, never = random.uniform(size=(2, 1_000))
    chosen = [
        replace(each, score=0.9, values=[amount, 0.1]) for each, amount in zip(retries(names), alike, strict=True)
    ]
    without = [
        replace(each, score=0.0, values=[amount / 9, math.nan])
        for each, amount in zip(retries(names), never, strict=True)
    ]
    drift = Drift(lambda *_: profile, THRESHOLDS)
    drift.add(chosen + without)
    (row,) = drift.rows()
    assert isinstance(row, FeatureDriftRow)
    assert (row.feature, row.predictions, row.state) == ("payment:amount_usd", 1_000, State.OK)


def retries(names: Names) -> list[Prediction]:
    of_fraud = predictions(rows(2, 1_000))
    return [
        replace(each, served=each.served._replace(model_name="retry"), question="retry", names=names)
        for each in of_fraud
    ]


@pytest.mark.parametrize(("count", "expected"), [(30, State.UNKNOWN), (1_000, State.OK)])
def test_too_few_predictions_tell_nothing(count: int, expected: State) -> None:
    assert states(found(predictions(rows(2, count)))[1])["customer_stats:steady"] is expected


def test_how_predictions_are_batched_changes_no_row() -> None:
    day = predictions(rows(2, 2_500, moved=0.3))
    assert found(day)[1] == found(*([each] for each in day))[1] == found(day[::-1])[1]


def test_what_is_told_names_the_worst_first() -> None:
    _, made = found(predictions(rows(2, 2_500, moved=1)))
    told = told_of_drift(made, ())
    assert told.state is State.ALERT
    assert told.findings[0].startswith(f"alert: fraud 3 {date(2024, 10, 4)} card_stats:moved: PSI ")
