"""What `up` does about the lakehouse: nothing, unless it is or was asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import commands
from stack.home import Home
from stack.lifecycle import Stack
from stack.processes import Launch, is_running, kill
from stack.program import Context, Kind, Program

FETCHED: list[str] = []


def program(name: str) -> Program:
    def ready(context: Context) -> None:
        """At once."""

    return Program(
        name,
        Kind.ENGINE,
        fetch=lambda: FETCHED.append(name),
        launch=lambda context: Launch(("sleep", "60"), context.home.root),
        ready=ready,
    )


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A core of one program and a lakehouse of one."""
    core, trino = program("core"), program("trino")
    monkeypatch.setattr(commands, "LAKE", (trino,))
    FETCHED.clear()
    home = Home(tmp_path / "home")
    home.create()
    yield Stack(home, [core, trino], lambda _: None)
    for record in home.read_state().processes.values():
        kill(record)


def running(stack: Stack) -> set[str]:
    return {name for name, record in stack.state.processes.items() if is_running(record)}


def test_nothing_of_the_lakehouse_is_fetched_or_started_where_nobody_asked(stack: Stack) -> None:
    commands._up_lake(stack, asked=False)
    assert (FETCHED, running(stack)) == ([], set())


def test_it_is_started_where_it_is_asked_for(stack: Stack) -> None:
    commands._up_lake(stack, asked=True)
    assert "trino" in FETCHED
    assert running(stack) == {"trino"}


def test_what_was_asked_for_before_and_died_is_started_again(stack: Stack) -> None:
    commands._up_lake(stack, asked=True)
    kill(stack.state.processes["trino"])
    commands._up_lake(stack, asked=False)
    assert running(stack) == {"trino"}


def test_what_was_stopped_stays_so(stack: Stack) -> None:
    commands._up_lake(stack, asked=True)
    stack.stop_all(stack.programs)
    commands._up_lake(stack, asked=False)
    assert running(stack) == set()
