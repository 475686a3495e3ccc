"""The gate around the contracts bites."""

import shutil
from pathlib import Path

import pytest

from codegen import gate, python
from codegen.image import ROOT, GenerationError

UNIFIED = "proto/tidegate/payments/v1/unified_payment_event.proto"

BREAKING_CHANGES = {
    "removed field": (UNIFIED, "  bool livemode = 36;\n", ""),
    "changed type": (UNIFIED, "int64 amount_cents = 7", "int32 amount_cents = 7"),
    "changed presence": (UNIFIED, "optional int64 amount_cents = 7", "int64 amount_cents = 7"),
    "reused number": (UNIFIED, "  bool livemode = 36;", "  bool is_live = 36;"),
    "removed enum value": (
        UNIFIED,
        "  // Contested, decided for the cardholder.\n  PAYMENT_STATUS_DISPUTE_LOST = 14;\n",
        "",
    ),
    "removed rpc": (
        "proto/tidegate/inference/v1/churn_service.proto",
        "rpc Predict(PredictRequest) returns (PredictResponse);",
        "rpc PredictChurn(PredictRequest) returns (PredictResponse);",
    ),
}


def workspace(folder: Path) -> Path:
    """A copy of the contracts that a test may break."""
    shutil.copytree(ROOT / "proto", folder / "proto")
    shutil.copy(ROOT / "buf.yaml", folder / "buf.yaml")
    return folder


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_text()
    assert old in text, f"{file} no longer holds {old!r}: update this test"
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("change", BREAKING_CHANGES)
def test_a_breaking_change_is_refused(tmp_path: Path, change: str) -> None:
    base, changed = workspace(tmp_path / "base"), workspace(tmp_path / "changed")
    edit(changed, *BREAKING_CHANGES[change])
    with pytest.raises(GenerationError, match=r"breaking failed"):
        gate.check_breaking(changed, base)


def test_an_added_field_passes(tmp_path: Path) -> None:
    base, changed = workspace(tmp_path / "base"), workspace(tmp_path / "changed")
    edit(changed, UNIFIED, "  bool livemode = 36;", "  bool livemode = 36;\n  // Something new.\n  bool added = 37;")
    gate.check_breaking(changed, base)


def test_a_field_without_a_comment_is_refused(tmp_path: Path) -> None:
    changed = workspace(tmp_path / "changed")
    edit(changed, UNIFIED, "  bool livemode = 36;", "  bool livemode = 36;\n  bool added = 37;")
    with pytest.raises(GenerationError, match="added"):
        gate.check_style(changed)


def test_generating_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        python.generate(folder)
    files = [file.relative_to(first) for file in first.rglob("*") if file.is_file()]
    assert files
    assert {str(file): (first / file).read_bytes() for file in files} == {
        str(file): (second / file).read_bytes() for file in files
    }


def test_edited_generated_code_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "python"
    shutil.copytree(python.OUT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    edited = copy / "tidegate/payments/v1/unified_payment_event_pb2.pyi"
    edited.write_text(edited.read_text() + "\n# by hand\n")
    (copy / "tidegate/payments/v1/orphan_pb2.py").touch()
    monkeypatch.setattr(python, "OUT", copy)
    with pytest.raises(GenerationError) as found:
        gate.check_drift()
    assert "unified_payment_event_pb2.pyi" in str(found.value)
    assert "orphan_pb2.py" in str(found.value)
