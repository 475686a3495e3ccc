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
