"""The table of a history holds, for each event once, what the stream and serving would have said of it."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlops.features.facts import payment_fact
from mlops.features.history import feature_rows
from mlops.features.payment import OWN_FEATURES, context_features, event_features
from mlops.training import history
from mlops.training.fraud.truth import fraud_labels
from mlops.training.history import HISTORY_FILE, TABLE_FILE, event_table, events
from services.simulator.adapters import parquet
from services.simulator.behaviour.outputs import write_history
from tests.unit.simulator.behaviour.worlds import world
from workflows.payment_event.questions import payment_context

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world in which some events came twice."""
    made = tmp_path_factory.mktemp("world")
    write_history(world(), made, parquet.write_table)
    rows = pq.read_table(made / HISTORY_FILE)
    twice = rows.take([*range(rows.num_rows), *range(0, rows.num_rows, 50)])
    pq.write_table(twice, made / HISTORY_FILE)
    return made


def test_every_event_has_the_features_that_the_stream_gives_it(folder: Path, tmp_path: Path) -> None:
    table = event_table(folder, tmp_path).to_pylist()
    by_event = {row["event_id"]: row for row in table}
    assert len(by_event) == len(table), "each event once"
    checked = set()
    for row in feature_rows(map(payment_fact, events(folder)), {}):
        if (row.event_id, row.entity) in checked:
            continue
        checked.add((row.event_id, row.entity))
        assert {name: by_event[row.event_id][name] for name in row.values} == row.values
    assert {event_id for event_id, _ in checked} == set(by_event)


def test_an_event_shows_by_itself_what_the_context_that_serving_is_given_shows(folder: Path) -> None:
    seen = set()
    for event in events(folder):
        own = event_features(event)
        assert own == context_features(payment_context(event))
        assert tuple(own) == OWN_FEATURES
        seen |= {name for name, value in own.items() if value}
    assert seen == set(OWN_FEATURES), "each feature says something somewhere"


def test_what_was_made_is_read_again_until_history_or_code_change(folder: Path, tmp_path: Path) -> None:
    made = event_table(folder, tmp_path)
    (kept,) = tmp_path.iterdir()
    pq.write_table(made.slice(0, 3), kept / TABLE_FILE)
    assert event_table(folder, tmp_path).num_rows == 3
    kept.rename(tmp_path / "of other code")
    assert event_table(folder, tmp_path).equals(made)


def test_fingerprints_tell_histories_apart(folder: Path, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(folder / HISTORY_FILE).slice(0, 10), tmp_path / HISTORY_FILE)
    assert history.fingerprint(folder) == history.fingerprint(folder)
    assert history.fingerprint(tmp_path) != history.fingerprint(folder)


def test_a_fraud_is_known_when_it_is_disputed_or_after_the_delay(folder: Path, tmp_path: Path) -> None:
    table = event_table(folder, tmp_path)
    occurred = table.column("occurred_us").to_numpy()
    labels = fraud_labels(folder, table.column("payment_id"), occurred)
    truth = {row["payment_id"]: row for row in pq.read_table(folder / "labels" / "payments.parquet").to_pylist()}
    rows = [truth[payment] for payment in table.column("payment_id").to_pylist()]
    assert labels.label.tolist() == [row["is_fraud"] for row in rows]
    assert labels.label.any()
    undisputed = np.array([row["disputed_at"] is None for row in rows])
    assert (labels.known_us[undisputed] == occurred[undisputed] + labels.delay_us).all()
    assert labels.known_us[~undisputed].tolist() == [
        int(row["disputed_at"].timestamp()) * 1_000_000 for row in rows if row["disputed_at"]
    ]


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="python -m services"):
        next(events(tmp_path))
    pq.write_table(pq.read_table(folder / HISTORY_FILE).drop_columns(["currency"]), tmp_path / HISTORY_FILE)
    with pytest.raises(ValueError, match="lacks the columns currency"):
        next(events(tmp_path))
    table = pq.read_table(folder / HISTORY_FILE)
    with pytest.raises(ValueError, match="labels"):
        fraud_labels(tmp_path, table.column("payment_id"), np.zeros(table.num_rows, dtype=np.int64))
