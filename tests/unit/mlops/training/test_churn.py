"""Who left is learned from what was known in time, and features are of the days before."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops.features.windows import DAY_US
from mlops.training.attempts import Attempts
from mlops.training.churn import cdnow
from mlops.training.churn.comparison import Said, gain, lost
from mlops.training.churn.offers import OFFERS
from mlops.training.churn.purchases import FEATURES, Purchases, Snapshot, day_number, read
from mlops.training.churn.truth import ABSENCE_DAYS, HORIZON_DAYS, absence_labels, churn_labels
from mlops.training.churn.world import churn_attempts
from mlops.training.dataset import Dataset, Ints
from services.simulator.adapters import parquet
from services.simulator.behaviour.outputs import write_history
from tests.unit.mlops.training.histories import table
from tests.unit.simulator.behaviour.worlds import world

pytestmark = pytest.mark.slow

DAYS, TEST_DAYS = 200, 40
SPLIT_US = (DAYS - HORIZON_DAYS - TEST_DAYS) * DAY_US
NEVER = np.iinfo(np.int64).max
START = day_number(date(1997, 1, 1))


def leavers(seed: int = 1) -> tuple[Ints, Ints]:
    """When each of 2,400 attempts was made, and when its customer left, if ever."""
    random = np.random.default_rng(seed)
    occurred = np.sort(random.integers(0, DAYS * DAY_US, 2_400))
    left = occurred + random.integers(0, 120 * DAY_US, len(occurred))
    return occurred, np.where(random.random(len(occurred)) < 0.5, left, NEVER)


def attempts(occurred: Ints, left: Ints) -> Attempts:
    labels = churn_labels(occurred, left)
    values = Dataset.of_columns(
        {"amount": (occurred % 97).astype(np.float64)},
        label=labels.label,
        seconds=occurred // 1_000_000,
        card=np.arange(len(occurred)),
        amount_cents=occurred % 97,
    )
    return Attempts(pa.table({"row": np.arange(len(occurred))}), labels, values, DAYS * DAY_US, ())


def test_who_stays_away_is_learned_when_the_time_is_over_and_not_before() -> None:
    occurred = np.array([0, 10, 20]) * DAY_US
    labels = absence_labels(occurred, np.array([True, False, True]))
    day_before, on_the_day = ((ABSENCE_DAYS + days) * DAY_US for days in (-1, 0))
    assert not labels.settled(day_before).any()
    assert labels.settled(on_the_day).tolist() == [True, False, False]
    assert labels.as_of(on_the_day).tolist() == [True, False, False]
    assert labels.as_of(on_the_day + 20 * DAY_US).tolist() == [True, False, True]


def test_who_leaves_after_the_split_changes_nothing_that_is_trained_on() -> None:
    occurred, left = leavers()
    later = left > SPLIT_US
    other = np.where(later, np.where(left == NEVER, SPLIT_US + DAY_US, NEVER), left)
    before, after = (attempts(occurred, each).split(test_days=TEST_DAYS) for each in (left, other))
    assert (later & (occurred < SPLIT_US)).sum() > 100, "there is something to leak"
    assert after.trained.fingerprint() == before.trained.fingerprint()
    assert after.tested.fingerprint() != before.tested.fingerprint()


def test_who_left_in_time_is_trained_on() -> None:
    occurred, left = leavers()
    other = np.where(left <= SPLIT_US, NEVER, left)
    before, after = (attempts(occurred, each).split(test_days=TEST_DAYS) for each in (left, other))
    assert after.trained.fingerprint() != before.trained.fingerprint()
    assert not after.trained.label.any()


def test_training_stops_a_horizon_before_the_tested_days() -> None:
    parts = attempts(*leavers()).split(test_days=TEST_DAYS)
    assert parts.trained.seconds.max() * 1_000_000 <= SPLIT_US - HORIZON_DAYS * DAY_US
    assert parts.tested.seconds.min() * 1_000_000 >= SPLIT_US


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world."""
    made = tmp_path_factory.mktemp("world")
    write_history(world(), made, parquet.write_table)
    return made


def test_learned_is_from_customers_of_whom_it_is_known_until_they_left(folder: Path) -> None:
    found = churn_attempts(folder, folder / "cache")
    truth = {
        (row["merchant_id"], row["customer_id"]): row
        for row in pq.read_table(folder / "labels" / "customers.parquet").to_pylist()
    }
    rows = found.table.select(["merchant_id", "customer_id", "occurred_us", "subscribes"]).to_pylist()
    for row, label in zip(rows, found.labels.label.tolist(), strict=True):
        customer = truth[row["merchant_id"], row["customer_id"]]
        left = customer["churned_at"]
        days = NEVER if left is None else (int(left.timestamp()) * 1_000_000 - row["occurred_us"]) / DAY_US
        assert days >= 0
        assert label == (days <= HORIZON_DAYS)
        assert row["subscribes"] == customer["subscribes"]
    assert 0 < found.labels.label.sum() < len(rows)


def test_a_history_without_its_truth_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "history.parquet").write_bytes((folder / "history.parquet").read_bytes())
    with pytest.raises(ValueError, match=r"customers\.parquet"):
        churn_attempts(tmp_path, folder / "cache")


def log(customers: int = 1_500, days: int = 545, seed: int = 1) -> Purchases:
    """Customers who buy at rates of their own, until one day they do not come back."""
    random = np.random.default_rng(seed)
    rate, stay = random.gamma(1.0, 1 / 40, customers), random.exponential(250, customers)
    rows = [
        (number, START + int(day))
        for number, began in enumerate(random.integers(0, 80, customers))
        for day in [began, *np.cumsum(random.exponential(1 / rate[number], 60)) + began]
        if day < min(days, began + stay[number])
    ]
    customer, day = np.array(rows, dtype=np.int64).T
    return Purchases.of(customer, day, np.ones_like(day), random.integers(500, 9_000, len(day)))


def test_what_is_known_of_a_customer_is_of_the_days_before() -> None:
    made = log()
    day = START + 300
    later = made.day >= day
    other = replace(made, cents=np.where(later, 1, made.cents), units=np.where(later, 99, made.units))
    moved = Purchases.of(other.customer, np.where(later, other.day + 20, other.day), other.units, other.cents)
    before, after = Snapshot.of(made, day), Snapshot.of(moved, day)
    assert after.customer.tolist() == before.customer.tolist()
    for name in FEATURES:
        np.testing.assert_array_equal(after.values[name], before.values[name])
    assert cdnow.rows_at(moved, [day]).label.sum() != cdnow.rows_at(made, [day]).label.sum()


def test_features_are_what_their_names_say() -> None:
    customer, day = np.array([1, 1, 1, 2, 1]), START + np.array([0, 10, 40, 90, 10])
    made = Purchases.of(customer, day, np.array([1, 2, 3, 4, 5]), np.array([100, 200, 300, 400, 600]))
    known = Snapshot.of(made, START + 100)
    first, second = ({name: float(known.values[name][row]) for name in FEATURES} for row in (0, 1))
    assert (first["purchases"], first["days_since_last"], first["days_known"]) == (3, 60, 100)
    assert (first["days_since_second_last"], first["days_since_third_last"]) == (90, 100)
    assert (first["gap_mean"], first["gap_longest"], first["wait_to_gap_mean"]) == (20, 30, 3)
    assert [first["amount_mean"], first["units_mean"]] == pytest.approx([4, 11 / 3])
    assert first["recent_purchases_30d"] == pytest.approx(np.exp([-100 / 30, -90 / 30, -60 / 30]).sum())
    assert (second["purchases"], second["days_since_last"]) == (1, 10)
    assert np.isnan([second["gap_mean"], second["days_since_second_last"]]).all()


def test_every_label_that_is_learned_from_was_known_when_the_test_began() -> None:
    test_day = day_number(cdnow.TEST_CUTOFF)
    assert max(cdnow.learned_from(test_day)) + cdnow.GONE_DAYS == test_day
    assert min(cdnow.learned_from(test_day)) >= day_number(cdnow.FIRST_CUTOFF)


def test_the_model_is_asked_about_everybody_who_bought_before() -> None:
    made, day = log(customers=400), START + 455
    outcome = cdnow.tried(made, day, "test", replace(cdnow.RECIPE, rounds=5))
    assert len(outcome.rows) == len(np.unique(made.customer[made.day < day]))
    gone = set(outcome.rows.card.tolist()) - set(made.customer[(made.day >= day) & (made.day < day + 90)].tolist())
    assert set(outcome.rows.card[outcome.rows.label].tolist()) == gone
    lines = list(cdnow.report(outcome, day))
    assert any(line.startswith("bought in the 90 days before") for line in lines)


def test_a_small_log_is_judged_by_what_is_learned_from_another() -> None:
    made, day, recipe = log(customers=400), START + 455, replace(cdnow.RECIPE, rounds=5)
    half = int(made.customer[made.day.argmax()]) % 2
    few = made.where(made.customer % 2 == half)
    outcome = cdnow.tried(few, day, "test", recipe, learn_from=made)
    whole = cdnow.tried(made, day, "test", recipe)
    assert outcome.own.probability.tolist() == whole.own.probability[whole.rows.card % 2 == half].tolist()
    with pytest.raises(ValueError, match="other days"):
        cdnow.tried(few, day, "test", recipe, learn_from=made.where(made.day < day - 30))


def test_a_log_that_does_not_reach_over_the_test_says_so() -> None:
    with pytest.raises(ValueError, match="a test from 1998-04-01 needs 90 days"):
        cdnow.tried(log(days=500), day_number(cdnow.TEST_CUTOFF), "test")


def test_cdnows_log_and_its_sample_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "master").write_text(" 00004 19970101  2   29.33\n 00004 19970118  2   29.73\n")
    (tmp_path / "sample").write_text("   4 1 19970101 2 29.33\n   4 1 19970118 2 29.73\n")
    (tmp_path / "titled").write_text(" customer_id  date number_of_cds  dollar_value\n 00004 19970101  2   29.33\n")
    master, sample = read(tmp_path / "master"), read(tmp_path / "sample")
    assert master.cents.tolist() == sample.cents.tolist() == [2_933, 2_973]
    assert master.day.tolist() == sample.day.tolist() == [START, START + 17]
    assert read(tmp_path / "titled").customer.tolist() == [4]


@pytest.mark.parametrize("line", ["4 19970101 2", "4 19971301 2 29.33", "4 19970101 two 29.33"])
def test_a_line_that_is_no_purchase_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "log").write_text(f"4 19970101 2 29.33\n{line}\n")
    with pytest.raises(ValueError, match="line 2"):
        read(tmp_path / "log")


def test_without_the_log_the_command_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cdnow.main(["--data", str(tmp_path / "none")]) == 2
    assert "--data" in capsys.readouterr().err


def test_the_truth_is_better_than_a_blurred_one_in_every_measure() -> None:
    rows = table()
    truth = Said("truth", 1 / (1 + np.exp(3.5 - 2 * rows.values[:, 0])))
    blurred = Said("blurred", 1 / (1 + np.exp(2 - rows.values[:, 0] + rows.values[:, 1])))
    assert lost(rows, truth, blurred) == []
    assert lost(rows, blurred, truth) == lost(rows, truth, truth) == ["AUC", "log loss", "Brier", "ECE"]
    found = gain("AUC", rows, truth, blurred)
    assert 0 < found.low < found.value < found.high


def test_each_threshold_is_where_the_next_step_begins_to_pay() -> None:
    at = OFFERS.thresholds()

    def message(p: float) -> float:
        return p * OFFERS.message_keeps * OFFERS.worth - OFFERS.message

    def offer(p: float) -> float:
        return p * OFFERS.offer_keeps * OFFERS.worth - OFFERS.offer

    assert message(at["medium"]) == pytest.approx(0)
    assert offer(at["high"]) == pytest.approx(message(at["high"]))
    assert offer(at["high"] + 0.01) > message(at["high"] + 0.01) > 0
