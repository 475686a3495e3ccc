import stat
from pathlib import Path

import pytest

from stack.system_user import copy_programs, within_reach


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that others may not pass, as /root is."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def package(closed: Path) -> Path:
    """A wheel's folder as an installation with a strict umask leaves it, its libraries beside it."""
    for file in (closed / "postgres" / "bin" / "initdb", closed / "postgres.libs" / "libpq.so"):
        file.parent.mkdir(parents=True)
        file.write_text(file.name)
        file.chmod(0o700)
    (closed / "another").mkdir()
    return closed / "postgres"


def test_programs_below_a_closed_folder_are_copied_with_their_libraries(package: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copy_programs(package, "18.1", copies)
    reached = within_reach(package, "18.1", copies)
    assert reached == copies / "18.1" / "postgres"
    assert (reached / "bin" / "initdb").read_text() == "initdb"
    assert (copies / "18.1" / "postgres.libs" / "libpq.so").exists()
    assert {path.name for path in (copies / "18.1").iterdir()} == {"postgres", "postgres.libs"}
    assert all(path.stat().st_mode & 0o055 == 0o055 for path in [copies, *copies.rglob("*")])


def test_copying_opens_nothing_of_the_users(package: Path, closed: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mode for path in [tmp_path, closed, *closed.rglob("*")]}
    copy_programs(package, "18.1", tmp_path / "copies")
    assert {path: path.stat().st_mode for path in before} == before
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_programs_are_copied_once(package: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copy_programs(package, "18.1", copies)
    first = (copies / "18.1").stat().st_ino
    copy_programs(package, "18.1", copies)
    assert [path.stat().st_ino for path in copies.iterdir()] == [first]


def test_programs_that_everybody_can_read_stay_where_they_are(tmp_path: Path) -> None:
    shell = Path("/usr/bin")
    assert within_reach(shell, "1", tmp_path) == shell
    copy_programs(shell, "1", tmp_path)
    assert not list(tmp_path.iterdir())
