import errno
import os
import stat
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.home import STRIPE_WEBHOOK_SECRET, Home, ProcessRecord, State


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "home")
    place.create()
    return place


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_state_survives_being_written_and_read(home: Home) -> None:
    state = State({"kafka": 25000}, {"kafka": ProcessRecord(7, "boot:9", "abc")})
    home.write_state(state)
    assert home.read_state() == state


def test_a_home_without_state_is_empty(home: Home) -> None:
    assert home.read_state() == State()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ports": {}}', '{"ports": {}, "processes": {"kafka": {"pid": 1}}}'])
def test_damaged_state_is_told_with_what_to_do(home: Home, text: str) -> None:
    (home.root / "state.json").write_text(text)
    with pytest.raises(StackError, match="is damaged") as failure:
        home.read_state()
    assert "data is kept" in failure.value.remedy


def test_secrets_are_made_once_and_kept_for_the_owner_alone(home: Home) -> None:
    first = home.secrets(["password", STRIPE_WEBHOOK_SECRET])
    second = home.secrets(["password", "another"])
    assert first["password"] == second["password"]
    assert second["another"] not in first.values()
    assert first[STRIPE_WEBHOOK_SECRET].startswith("whsec_")
    assert mode(home.root / "secrets.json") == 0o600


def test_two_homes_have_different_secrets(tmp_path: Path) -> None:
    values = set()
    for name in ("a", "b"):
        place = Home(tmp_path / name)
        place.create()
        values.add(place.secrets(["password"])["password"])
    assert len(values) == 2


def test_a_second_changing_command_is_refused_while_one_works(home: Home) -> None:
    with home.locked(), pytest.raises(StackError, match="Another stack command"), home.locked():
        pass
    with home.locked():
        pass


def test_the_home_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "elsewhere"))
    assert Home.from_environment().root == tmp_path / "elsewhere"
    monkeypatch.delenv("TIDEGATE_HOME")
    assert Home.from_environment().root.name == ".tidegate"


@pytest.mark.parametrize("below", [".", "home"])
def test_a_file_in_the_place_of_the_home_is_told_with_what_to_do(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    place = Home(tmp_path / "file" / below)
    with pytest.raises(StackError, match="a file is in the place of a folder") as failure, place.locked():
        pass
    assert "TIDEGATE_HOME" in failure.value.remedy
    with pytest.raises(StackError, match="a file is in the place of a folder"):
        place.read_state()


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES])
def test_what_the_disk_refuses_to_a_command_is_told_with_what_to_do(home: Home, number: int) -> None:
    with pytest.raises(StackError, match="cannot be kept in") as failure, home.locked():
        raise OSError(number, os.strerror(number), str(home.root / "data" / "kafka"))
    assert "TIDEGATE_HOME" in failure.value.remedy


def test_an_error_elsewhere_is_not_blamed_on_the_home(home: Home) -> None:
    with pytest.raises(PermissionError), home.locked():
        raise PermissionError(errno.EACCES, "Permission denied", "/usr/bin/java")


def test_state_of_before_programs_were_remembered_as_wanted_wants_what_was_started(home: Home) -> None:
    started = '{"ports": {}, "processes": {"kafka": {"pid": 7, "identity": "boot:9", "launch": "abc"}}}'
    (home.root / "state.json").write_text(started)
    assert home.read_state().wanted == {"kafka"}
