"""A history that comes from the lake teaches the same as the one that the events were made from."""

import json
import resource
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mlops.features import parquet
from mlops.features.catalog import CUSTOMER_STATS, MERCHANT_STATS, VIEWS, Entity
from mlops.features.event_rows import HISTORY_FILE
from mlops.pipelines.lib import feature_export
from mlops.pipelines.lib.point_in_time import compared
from mlops.training.churn.world import churn_attempts
from mlops.training.fraud.world import fraud_attempts
from mlops.training.history import STATES_FILE, event_table, fingerprint
from mlops.training.retry.decisions import decisions
from tests.unit.mlops.pipelines.bronze import BronzeTables, exported

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(BronzeTables.of(history), tmp_path_factory.mktemp("lake"))


def test_events_come_in_order_of_arrival_without_what_identifies_and_teaches_nothing(
    history: Path, folder: Path
) -> None:
    before, after = (pq.read_table(each / HISTORY_FILE) for each in (history, folder))
    assert after.column("processed_at").to_pylist() == sorted(before.column("processed_at").to_pylist())
    assert set(after.column("event_id").to_pylist()) == set(before.column("event_id").to_pylist())
    for name in feature_export.LEFT_BEHIND:
        assert pc.all(pc.is_null(after.column(name))).as_py()
        assert not pc.all(pc.is_null(before.column(name))).as_py()


@pytest.fixture
def few_files() -> Iterator[None]:
    """No more than 64 may be open at once."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_past_of_more_days_than_files_may_be_open_is_read(history: Path, tmp_path: Path, few_files: None) -> None:
    rows = pq.read_table(exported(BronzeTables.of(history), tmp_path) / HISTORY_FILE)
    assert len(pc.unique(pc.floor_temporal(rows.column("processed_at"), unit="day"))) > 64
    assert rows.num_rows == pq.read_metadata(history / HISTORY_FILE).num_rows


def test_features_are_those_of_the_events_themselves(history: Path, folder: Path, tmp_path: Path) -> None:
    truth, lake = (
        event_table(each, tmp_path / each.name).sort_by("event_id").drop_columns([]) for each in (history, folder)
    )
    assert lake.equals(truth)


def test_every_model_can_learn_from_what_events_alone_tell(folder: Path, tmp_path: Path) -> None:
    frauds, leavers = fraud_attempts(folder, tmp_path), churn_attempts(folder, tmp_path)
    assert 0 < frauds.labels.label.sum() < len(frauds.labels.label) / 10
    assert 0 < leavers.labels.label.sum() < len(leavers.labels.label)
    assert leavers.split(warm_up_days=0).tested.label.any()
    tried = [each for each in decisions(folder) if each.retry_s is not None]
    assert any(each.succeeded for each in tried)
    assert any(not each.succeeded for each in tried)


def scores(history: Path) -> pa.Table:
    """A score of every tenth payment that succeeded, a second after it came; and one of an event nobody knows."""
    rows = [
        row for row in pq.read_table(history / HISTORY_FILE).to_pylist() if row["event_type"] == "payment.succeeded"
    ]
    names = ("event_id", "payment_id", "merchant_id", "customer_id", "amount_cents", "currency")
    told = [
        {**{name: row[name] for name in names}, "fraud_probability": 0.25, "decided_at": row["processed_at"]}
        for row in rows[::10]
    ]
    told.append({**told[0], "event_id": "stripe:evt_unknown", "decided_at": datetime(2025, 6, 1, tzinfo=UTC)})
    told.append({**told[0], "event_id": rows[1]["event_id"], "fraud_probability": None})
    return pa.Table.from_pylist(told, schema=feature_export.SCORES_SCHEMA)


def test_our_own_scores_are_facts_too_where_their_events_are_there(history: Path, tmp_path: Path) -> None:
    given = scores(history)
    scored = exported(BronzeTables.of(history, given), tmp_path)
    assert pq.read_table(scored / "scores.parquet").num_rows == given.num_rows - 2
    known = event_table(scored, tmp_path / "cache").column("fraud_score_avg_30d")
    assert known.null_count < len(known)
    assert pc.max(known).as_py() == pytest.approx(0.25)
    assert json.loads((scored / feature_export.SOURCE_FILE).read_text())["scores"] == given.num_rows - 2


def test_rows_of_every_view_are_found_right_where_they_are(history: Path, tmp_path: Path) -> None:
    bronze = BronzeTables.of(history, scores(history))
    folder = exported(bronze, tmp_path)
    event_table(folder, tmp_path)
    found = compared(bronze, tmp_path / fingerprint(folder), seed=1)
    assert found.faults == []
    assert set(found.rows) == {view.name for view in VIEWS}
    assert all(count > 100 for count in found.rows.values())
    assert compared(bronze, tmp_path / fingerprint(folder), seed=1, most=60).faults == [], "of a part of a past too"


def test_a_row_that_saw_what_came_later_is_found(history: Path, folder: Path, tmp_path: Path) -> None:
    made = tmp_path / fingerprint(folder)
    event_table(folder, tmp_path)
    for view, name in ((CUSTOMER_STATS, "total_payments_90d"), (MERCHANT_STATS, "merchant_attempts_7d")):
        file = parquet.events_file(view, made)
        rows = pq.read_table(file)
        later = pc.add(rows.column(name), 1)
        pq.write_table(rows.set_column(rows.column_names.index(name), name, later), file)
    found = compared(BronzeTables.of(history), made, seed=1)
    assert {fault.partition(" of ")[2] for fault in found.faults} == {"customer", "merchant"}


def test_newest_facts_of_a_merchant_with_more_than_can_be_made_again_are_looked_at(
    history: Path, folder: Path, tmp_path: Path
) -> None:
    event_table(folder, tmp_path)
    bronze, made = BronzeTables.of(history), tmp_path / fingerprint(folder)
    looked = compared(bronze, made, seed=1, most=600, settled_after=50)
    assert looked.faults == []
    assert looked.rows[MERCHANT_STATS.name] == 577 + 1043, "of the larger one its first 600 and those behind them"
    file = parquet.events_file(MERCHANT_STATS, made)
    rows = pq.read_table(file).sort_by(parquet.CREATED_COLUMN)
    newest = pc.greater(pa.array(range(len(rows))), len(rows) - 40)
    later = pc.if_else(newest, pc.add(rows.column("merchant_attempts_24h"), 1), rows.column("merchant_attempts_24h"))
    pq.write_table(
        rows.set_column(rows.column_names.index("merchant_attempts_24h"), "merchant_attempts_24h", later), file
    )
    wrong = compared(bronze, made, seed=1, sample={Entity.MERCHANT: 2}, most=400, settled_after=50).faults
    assert len(wrong) == 39, "those of both merchants"


def test_a_history_in_another_order_than_that_of_arrival_is_found(history: Path, folder: Path, tmp_path: Path) -> None:
    """What is made of it agrees with itself: only bronze tells."""
    wrong = tmp_path / "wrong"
    shutil.copytree(folder, wrong)
    rows = pq.read_table(folder / HISTORY_FILE)
    pq.write_table(rows.sort_by([("provider_created_at", "descending")]), wrong / HISTORY_FILE)
    event_table(wrong, tmp_path)
    found = compared(BronzeTables.of(history), tmp_path / fingerprint(wrong), seed=1)
    assert {fault.partition(" of ")[2] for fault in found.faults} == {"customer", "card", "merchant"}


def test_an_event_that_was_left_out_is_found(history: Path, folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(folder, wrong)
    rows = pq.read_table(folder / HISTORY_FILE)
    failed = pc.equal(rows.column("event_type"), "payment.failed")
    pq.write_table(rows.filter(pc.invert(failed)), wrong / HISTORY_FILE)
    event_table(wrong, tmp_path)
    assert compared(BronzeTables.of(history), tmp_path / fingerprint(wrong), seed=1).faults


def test_feast_gets_its_files_whole_and_old_tables_are_dropped(folder: Path, tmp_path: Path) -> None:
    cache, shown = tmp_path / "cache", tmp_path / "features"
    (cache / "older").mkdir(parents=True)
    event_table(folder, cache)
    made = cache / fingerprint(folder)
    feature_export.publish(made, shown)
    feature_export.prune(cache, keep=made)
    assert (
        parquet.moments_file(CUSTOMER_STATS, shown).read_bytes()
        == parquet.moments_file(CUSTOMER_STATS, made).read_bytes()
    )
    assert [each.name for each in cache.iterdir()] == [made.name]
    assert (made / STATES_FILE).is_file()


def test_an_export_that_fails_leaves_the_history_that_was_there(history: Path, tmp_path: Path) -> None:
    folder = exported(BronzeTables.of(history), tmp_path)
    before = (folder / HISTORY_FILE).read_bytes()
    broken = BronzeTables({"payment_events": BronzeTables.of(history).tables["payment_events"]})
    with pytest.raises(KeyError):
        exported(broken, tmp_path)
    assert (folder / HISTORY_FILE).read_bytes() == before
