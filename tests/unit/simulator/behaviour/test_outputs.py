"""A folder holds the history and, apart from it, the truth; the same plan writes the same bytes."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from services.simulator.__main__ import main
from services.simulator.adapters import parquet
from services.simulator.behaviour.judging import by_retries_alone
from services.simulator.behaviour.outputs import write_history
from tests.unit.simulator.behaviour.worlds import world

pytestmark = pytest.mark.slow

pyarrow = pytest.importorskip("pyarrow.parquet")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*.*"))
    }


def write(folder: Path, seed: str = "5") -> Path:
    options = ["--customers", "40", "--days", "60", "--first-day", "2025-01-01", "--seed", seed]
    assert main([*options, "--history", str(folder)]) == 0
    return folder


def test_the_same_plan_writes_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, other = write(tmp_path / "a"), write(tmp_path / "b"), write(tmp_path / "c", "6")
    assert digests(first) == digests(second)
    assert digests(first) != digests(other)
    assert "history.parquet" in capsys.readouterr().out


def test_files_hold_what_the_world_holds(tmp_path: Path) -> None:
    year = world()
    rows = write_history(year, tmp_path, parquet.write_table)
    assert rows["history.parquet"] == len(year.told)
    assert json.loads((tmp_path / "world.json").read_text())["rows"] == dict(rows)
    history = pyarrow.read_table(tmp_path / "history.parquet").to_pylist()
    assert [row["provider_event_id"] for row in history] == [event.event_id for event in year.told]
    assert dict(history[0]["metadata"])["order_id"] == year.told[0].story.id[-8:]
    assert history[0]["provider_created_at"].timestamp() == year.told[0].at
    labels = pyarrow.read_table(tmp_path / "labels" / "payments.parquet").to_pylist()
    assert {row["payment_id"] for row in history} <= {row["payment_id"] for row in labels}
    assert sum(row["is_fraud"] for row in labels) == sum(story.scenario is not None for story in year.stories)


def test_hours_are_those_of_the_curves(tmp_path: Path) -> None:
    year = world()
    write_history(year, tmp_path, parquet.write_table)
    curves = {f"stripe:{story.id}": story.curve for story in year.stories}
    rows = pyarrow.read_table(tmp_path / "labels" / "hourly.parquet").to_pylist()
    assert len(rows) == sum(bool(story.decisions) for story in year.stories)
    for row in rows:
        curve = curves[row["payment_id"]]
        assert curve is not None
        at = curve.opened_at + 100 * 3600
        expected = by_retries_alone(curve).success_probability(at, [curve.opened_at])
        assert row["success_probability"][100] == pytest.approx(expected, abs=1e-6)
        assert len(row["success_probability"]) == 337


def test_curves_come_back_as_they_were(tmp_path: Path) -> None:
    year = world()
    write_history(year, tmp_path, parquet.write_table)
    known = {f"stripe:{story.id}": story.curve for story in year.stories if story.curve}
    read = dict(parquet.read_curves(tmp_path / "labels" / "curves.parquet"))
    assert read
    assert all(known[payment_id] == curve for payment_id, curve in read.items())


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["--customers", "2", "--days", "3", "--history", str(tmp_path)]) == 2
    assert "tidegate[models]" in capsys.readouterr().err


def test_an_empty_world_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--customers", "0", "--history", str(tmp_path)]) == 2
    assert "at least one customer" in capsys.readouterr().err
