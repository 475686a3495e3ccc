"""The gate around the contracts bites."""

import shutil
import subprocess
from pathlib import Path

import pytest

from codegen import gate, published, python
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


def test_a_break_is_refused_by_what_is_published_whatever_the_history_says(tmp_path: Path) -> None:
    changed = workspace(tmp_path / "changed")
    edit(changed, *BREAKING_CHANGES["changed type"])
    with pytest.raises(GenerationError, match=r"amount_cents[\s\S]*--accept-breaking"):
        published.check_unbroken(changed)


def test_what_is_published_may_be_added_to(tmp_path: Path) -> None:
    changed = workspace(tmp_path / "changed")
    edit(changed, UNIFIED, "  bool livemode = 36;", "  bool livemode = 36;\n  // Something new.\n  bool added = 99;")
    published.check_unbroken(changed)


def test_a_contract_that_was_not_generated_is_drift_even_where_python_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = workspace(tmp_path / "other")
    edit(other, UNIFIED, "  bool livemode = 36;", "  bool livemode = 36;\n  // Something new.\n  bool added = 99;")
    stale = tmp_path / "contracts.binpb"
    published.write(stale, other)
    monkeypatch.setattr(published, "PUBLISHED", stale)
    with pytest.raises(GenerationError, match=r"contracts\.binpb"):
        gate.check_drift()


class Repository:
    """A small git repository with contracts in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "A Tester")
        self.git("config", "user.email", "tester@example.com")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, text: str) -> str:
        (self.folder / "proto").mkdir(exist_ok=True)
        (self.folder / "proto" / "one.proto").write_text(text)
        (self.folder / "buf.yaml").touch()
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


def test_a_branch_of_several_commits_is_compared_with_where_it_left_main(repository: Repository) -> None:
    landed = repository.commit("landed")
    repository.git("update-ref", "refs/remotes/origin/main", landed)
    repository.commit("breaks")
    repository.commit("only a comment")
    assert gate.base_revision(repository.folder) == landed


def test_main_itself_is_compared_with_the_contracts_before_its_last_change(repository: Repository) -> None:
    first = repository.commit("first")
    repository.commit("second")
    assert gate.base_revision(repository.folder) == first


def test_the_first_commit_has_nothing_to_be_compared_with(repository: Repository) -> None:
    repository.commit("first")
    assert gate.base_revision(repository.folder) is None


def test_a_shallow_clone_is_refused_with_what_to_do(repository: Repository, tmp_path: Path) -> None:
    repository.commit("first")
    repository.commit("second")
    repository.git("clone", "--quiet", "--depth", "1", repository.folder.as_uri(), str(tmp_path / "shallow"))
    with pytest.raises(GenerationError, match="git fetch --unshallow"):
        gate.base_revision(tmp_path / "shallow")
