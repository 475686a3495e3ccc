"""The command line tells what is missing."""

from pathlib import Path

import pytest

from services.simulator.__main__ import main


@pytest.fixture(autouse=True)
def _no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEGATE_GATEWAY_URL", raising=False)
    monkeypatch.delenv("TIDEGATE_STRIPE_WEBHOOK_SECRET", raising=False)


def test_without_a_stack_it_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "make up" in capsys.readouterr().err


def test_a_folder_without_bodies_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "http://localhost/", "--secret", "s", "--from", str(tmp_path)]) == 2
    assert "holds no *.json" in capsys.readouterr().err


def test_the_stack_file_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stack.env").write_text("TIDEGATE_GATEWAY_URL=ftp://x\nTIDEGATE_STRIPE_WEBHOOK_SECRET=whsec_1\n")
    assert main(["--count", "1"]) == 2
    assert "ftp://x" in capsys.readouterr().err
