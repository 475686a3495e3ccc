"""The retry model learns from what was known at each decline, the same every time, and is judged by the truth."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bench.retry_schedules import Chooser, Judge, Outcome, Standing, by_hours
from bench.retry_truth import World
from mlops.registry.artifact import TrainedModel, artifact_digest
from mlops.registry.retry.inputs import FEATURES
from mlops.registry.retry.policy import Rules, Terms
from mlops.training.history import HISTORY_FILE
from mlops.training.retry.decisions import Decision, decisions, declines
from mlops.training.retry.known import Known
from mlops.training.retry.outlook import failures
from mlops.training.retry.recipe import REASONS, Recipe, policy_of, train
from mlops.training.retry.report import Sums, attempts_per_recovery, interval, money
from mlops.training.retry.world import OUTCOME_DAYS, Ages
from services.inference.case import CaseReader
from services.inference.tables import read_rule_tables
from services.simulator.adapters.parquet import write_table
from services.simulator.behaviour.curves import recovery
from services.simulator.behaviour.judging import LADDER_HOURS, ladder
from services.simulator.behaviour.outputs import write_history
from services.simulator.behaviour.year import Plan, play

pytestmark = pytest.mark.slow

RECIPE = Recipe(rounds=20, folds=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world")
    write_history(play(Plan(5, 600, date(2025, 1, 1), 200)), made, write_table)
    return made


@pytest.fixture(scope="module")
def decided(folder: Path) -> list[Decision]:
    return decisions(folder)


@pytest.fixture(scope="module")
def world(folder: Path) -> World:
    return World.of(folder)


def test_every_decision_is_read_with_what_it_was_about(folder: Path, decided: list[Decision]) -> None:
    labels = pq.read_table(folder / "labels/decisions.parquet").sort_by("decided_at").to_pylist()
    assert len(decided) >= len(labels) - 3  # a decline whose event came after the history's end is not in it
    told = {(row["payment_id"], int(row["decided_at"].timestamp())): row for row in labels}
    for each in decided:
        row = told[each.payment_id, each.situation.declined_s]
        assert each.situation.value("attempts_so_far") >= 1
        assert (each.retry_s is not None) == (row["outcome"] in ("succeeded", "failed"))


def test_features_know_nothing_of_what_arrived_later(folder: Path, tmp_path: Path) -> None:
    """A decline is read the same from a history that ends when its event has arrived."""
    history = pq.read_table(folder / HISTORY_FILE)
    charges = pq.read_table(folder / "labels/decisions.parquet").column("charge_id").to_pylist()
    whole = list(declines(folder, charges))
    for each in whole[:: max(1, len(whole) // 12)]:
        charge = each.event.provider_object_id
        arrived = each.event.processed_at.ToMicroseconds()
        until = pc.less_equal(history.column("processed_at").cast("int64"), arrived)
        pq.write_table(history.filter(until), tmp_path / HISTORY_FILE)
        (again,) = declines(tmp_path, [charge])
        moment = np.array([each.attempts_s[-1] + 7_200])
        np.testing.assert_array_equal(again.situation().rows(moment), each.situation().rows(moment))


def test_two_trainings_are_the_same_to_the_letter(decided: list[Decision], tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(decided, RECIPE, Terms(), code_version="test").save(tmp_path / name)
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name
    loaded = TrainedModel.load(tmp_path / "one")
    row = decided[0].situation.rows(np.array([decided[0].situation.declined_s + 86_400]))
    assert 0 < loaded.predict(row)[0] < 1
    assert policy_of(loaded).terms == Terms()


def test_every_feature_speaks_in_words() -> None:
    assert set(REASONS) == set(FEATURES)


def test_another_policy_makes_another_model(decided: list[Decision], tmp_path: Path) -> None:
    for name, terms in (("one", Terms()), ("dear", Terms(attempt_usd=3.0))):
        train(decided, RECIPE, terms, code_version="test").save(tmp_path / name)
    assert artifact_digest(tmp_path / "one") != artifact_digest(tmp_path / "dear")


def test_what_judges_is_later_than_the_end_of_all_that_was_learned_from(decided: list[Decision]) -> None:
    ages = Ages.of(decided)
    learned = [each for each in ages.trained if each.retry_s is not None]
    began_s = min(each.situation.declined_s for each in ages.tested)
    assert learned
    assert all(each.retry_s is not None and each.retry_s <= began_s for each in learned)
    assert all(each.retry_s is not None for each in ages.tested)
    end_s = max(each.situation.declined_s for each in decided)
    assert max(each.situation.declined_s for each in ages.tested) < end_s - OUTCOME_DAYS * 86_400


def test_a_short_history_is_refused_with_what_helps(decided: list[Decision]) -> None:
    with pytest.raises(ValueError, match="make one of a year"):
        Ages.of([each for each in decided if each.situation.declined_s > decided[-1].situation.declined_s - 2_000_000])


def test_the_outlook_grows_with_days_and_with_attempts(decided: list[Decision]) -> None:
    outlook = policy_of(train(decided, RECIPE, Terms(), code_version="test")).continuation
    shares = np.array(outlook.shares)
    assert not shares[0].any()
    assert (np.diff(shares, axis=2) >= 0).all()
    assert (np.diff(shares, axis=0) >= -1e-9).all()
    assert 0 < shares[-1].max() < 1


def test_failures_are_followed_by_the_decision_on_them(decided: list[Decision]) -> None:
    pairs = failures(decided)
    assert pairs
    for one, other in pairs:
        assert not decided[one].succeeded
        assert decided[one].payment_id == decided[other].payment_id
        assert decided[one].retry_s == decided[other].situation.declined_s


def outcomes(world: World, choose: Chooser, *, held: bool) -> list[Outcome]:
    tables = read_rule_tables()
    judge = Judge(world, CaseReader(tables), tables.networks.longest_wait_hours * 3_600, draws=1)
    return [judge.outcome(payment, choose, held=held) for payment in world.failed]


def test_a_ladder_is_worth_what_the_curve_says(world: World) -> None:
    for payment, found in zip(world.failed, outcomes(world, by_hours(LADDER_HOURS), held=False), strict=True):
        assert found.recovered == pytest.approx(recovery(payment.curve, ladder(payment.curve)))


def test_the_guard_lets_no_rule_be_broken_by_whom_it_tells_the_earliest_moment(world: World) -> None:
    def hasty(_: Standing, rules: Rules) -> int | None:
        return rules.earliest_s

    assert sum(each.violations for each in outcomes(world, hasty, held=False)) > 0
    assert sum(each.violations for each in outcomes(world, hasty, held=True)) == 0


def test_truth_and_log_agree_on_what_was_logged(folder: Path, decided: list[Decision]) -> None:
    known = Known.of(folder, decided)
    tried = np.flatnonzero(known.wait_hours)
    chance = known.chances[tried, known.wait_hours[tried] - 1]
    spread = float(np.sqrt((chance * (1 - chance)).sum()))
    assert len(tried) > 40
    assert abs(known.reward[tried].sum() - chance.sum()) < 4 * spread


def one(customer: str, usd: float, recovered: float, attempts: float) -> dict[str, float]:
    return {
        "customer_id": customer,  # type: ignore[dict-item]
        "usd": usd,
        "recovered": recovered,
        "attempts": attempts,
        "delay_days": recovered,
        "violations": 0,
    }


def test_figures_by_hand() -> None:
    these: Sequence[dict[str, float]] = [one("a", 10, 1.0, 1), one("a", 30, 0.0, 3), one("b", 60, 0.5, 2)]
    sums = Sums.of(these)
    assert interval(money, sums).value == pytest.approx((10 + 30) / 100)
    assert interval(attempts_per_recovery, sums).value == pytest.approx(6 / 1.5)
    better = Sums.of([replaced | {"recovered": 1.0} for replaced in these])
    above = interval(money, better, sums)
    assert above.value == pytest.approx(0.6)
    assert above.low > 0


def test_decisions_that_were_not_tried_teach_nothing(decided: list[Decision]) -> None:
    """What a decision says of an attempt that was not made changes no probability."""
    lied = [each if each.retry_s is not None else replace(each, succeeded=True, truth=1.0) for each in decided]
    honest, other = (train(those, RECIPE, Terms(), code_version="test") for those in (decided, lied))
    assert honest.booster.model_to_string() == other.booster.model_to_string()
    assert honest.calibration == other.calibration
