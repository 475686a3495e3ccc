"""The command compares what it is told to, over a history's folder, and says in words what it cannot do."""

import io
import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from services.inference.replay.__main__ import FAILED, main
from services.inference.replay.sides import SideError, Sides
from services.inference.tables import DECLINE_RULES
from services.simulator.adapters import parquet
from services.simulator.behaviour.outputs import write_history
from tests.fakes import models
from tests.fakes.model_versions import FakeModelVersions
from tests.unit.inference.contexts import TABLES
from tests.unit.simulator.behaviour.worlds import world


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    write_history(world(customers=120, days=120), folder, parquet.write_table)
    return folder


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIDEGATE_MLFLOW_URL", "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS", "TIDEGATE_SCHEMA_REGISTRY_URL"):
        monkeypatch.delenv(name, raising=False)


def replay(question: str, versions: Sequence[object], history: Path, *more: object) -> int:
    return main([question, "--versions", *map(str, versions), "--history", str(history), *map(str, more)])


def test_an_artifact_against_the_rules_is_told_as_text_json_and_page(
    history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocking = models.folder(tmp_path / "blocking", always=0.9)
    written = {kind: tmp_path / f"replay.{kind}" for kind in ("json", "html")}
    assert replay("fraud", ("rules", blocking), history, *(f"--{kind}={file}" for kind, file in written.items())) == 0
    told = json.loads(written["json"].read_text())
    fraud = told["questions"]["fraud"]
    assert fraud["flips"] > 50
    assert fraud["frauds"] + fraud["honest"] == fraud["payments"], "the folder has labels"
    assert {each["by"] for each in fraud["answered_after"]} == {"fraud blocking"}
    assert told["after"]["origins"][0]["registered"] is False
    assert told["headline"] in capsys.readouterr().out
    assert "fraud blocking" in written["html"].read_text()


def test_what_was_asked_for_is_written_though_nobody_reads_the_summary(history: Path, tmp_path: Path) -> None:
    class Unread(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    written = {kind: tmp_path / f"replay.{kind}" for kind in ("json", "html")}
    with redirect_stdout(Unread()):
        replay("fraud", ("rules", "rules"), history, *(f"--{kind}={file}" for kind, file in written.items()))
    assert json.loads(written["json"].read_text())["headline"] in written["html"].read_text()


def test_what_cannot_be_written_costs_no_summary(
    history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay("fraud", ("rules", "rules"), history, "--json", tmp_path / "nowhere" / "replay.json") == FAILED
    told = capsys.readouterr()
    assert "fraud" in told.out
    assert "nowhere" in told.err


def test_two_sets_of_rule_tables_are_compared(
    history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slower = tmp_path / "slower.yaml"
    slower.write_text(DECLINE_RULES.read_text().replace("wait_hours: [24,", "wait_hours: [36,"))
    assert replay("retry", ("rules", "rules"), history, "--decline-rules", DECLINE_RULES, slower) == 0
    assert "retry -> retry, later" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("versions", "more", "says"),
    [
        (("3", "rules"), (), "TIDEGATE_MLFLOW_URL"),
        (("rules", "rules"), ("--record",), "two registered versions"),
        (("rules", "rules"), ("--decline-rules", "1", "2", "3"), "two sides"),
        (("rules", "rules"), ("--decline-rules", "/nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_what_cannot_be_done_is_said(
    history: Path, capsys: pytest.CaptureFixture[str], versions: Sequence[str], more: Sequence[str], says: str
) -> None:
    assert replay("fraud", versions, history, *more) == FAILED
    assert says in capsys.readouterr().err


def test_without_a_history_there_is_nothing_to_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay("fraud", ("rules", "rules"), tmp_path) == FAILED
    assert "services.simulator" in capsys.readouterr().err


@pytest.fixture
def versions(tmp_path: Path) -> FakeModelVersions:
    registry = FakeModelVersions()
    registry.add("3", models.folder(tmp_path / "3"))
    registry.add("4", models.folder(tmp_path / "4", seed=2))
    registry.add("5", None)
    registry.add("6", models.folder(tmp_path / "6", thresholds={"review": 0.5}))
    return registry


def test_sides_are_versions_by_number_and_by_alias(versions: FakeModelVersions) -> None:
    sides = Sides("fraud", versions)
    labels = [sides.side(spec, TABLES).note.label for spec in ("3", "4", "rules")]
    assert labels == ["fraud 3", "fraud 4", "fraud rules"]
    side = sides.side("4", TABLES)
    origin = side.note.origin("fraud")
    assert origin is not None
    assert (origin.version, origin.registered, len(origin.digest)) == ("4", True, 64)
    champion = side.serving.champion("fraud")
    assert champion is not None
    assert champion.model.version == "4"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("5", "its artifact is gone"),
        ("6", "no threshold decline"),
        ("champion", "has no champion"),
        ("seven", "no number, alias or folder"),
    ],
)
def test_a_side_that_cannot_answer_says_why(versions: FakeModelVersions, spec: str, says: str) -> None:
    with pytest.raises(SideError, match=says):
        Sides("fraud", versions).side(spec, TABLES)
