import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.home import Home
from stack.lifecycle import Stack, telling
from stack.processes import Launch, is_running, kill
from stack.program import Context, Kind, NotReadyError, Program

SLEEP = ("sleep", "60")


@dataclasses.dataclass
class Recorder:
    """What the programs' functions were called for, in order."""

    events: list[str] = dataclasses.field(default_factory=list)

    def event(self, text: str) -> Callable[[Context], None]:
        return lambda _: self.events.append(text)

    def program(self, name: str, *needs: str, argv: tuple[str, ...] = SLEEP) -> Program:
        return Program(
            name,
            Kind.ENGINE,
            needs=needs,
            launch=lambda context: Launch(argv, context.home.root),
            ready=self.event(f"{name} ready"),
            provision=self.event(f"{name} provisioned"),
            settled=self.event(f"{name} settled"),
            start_seconds=5,
            stop_seconds=5,
        )


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    home = Home(tmp_path / "home")
    home.create()
    said: list[str] = []

    def stack(*programs: Program) -> Stack:
        return Stack(home, programs, said.append)

    yield stack
    for record in home.read_state().processes.values():
        kill(record)


def start(stack: Stack) -> None:
    stack.start_all(stack.settle(), stack.programs)


def test_a_program_starts_only_after_what_it_needs_is_ready_and_provisioned(
    make: Callable[..., Stack], recorder: Recorder
) -> None:
    start(make(recorder.program("registry", "database"), recorder.program("database")))
    assert recorder.events == ["database ready", "database provisioned", "registry ready", "registry provisioned"]


def test_stopping_goes_the_other_way_round(make: Callable[..., Stack], recorder: Recorder) -> None:
    stack = make(recorder.program("registry", "database"), recorder.program("database"))
    start(stack)
    recorder.events.clear()
    stack.stop_all(stack.programs)
    assert recorder.events == ["registry settled", "database settled"]
    assert stack.home.read_state().processes == {}


def test_what_runs_is_left_alone_by_a_second_command(make: Callable[..., Stack], recorder: Recorder) -> None:
    program = recorder.program("database")
    start(make(program))
    before = make(program).state.processes
    start(make(program))
    assert make(program).state.processes == before
    assert set(recorder.events) == {"database ready", "database provisioned"}


def test_what_was_killed_is_started_again_and_nothing_else(make: Callable[..., Stack], recorder: Recorder) -> None:
    programs = (recorder.program("database"), recorder.program("broker"))
    start(make(*programs))
    before = make(*programs).state.processes
    kill(before["broker"])
    start(make(*programs))
    after = make(*programs).state.processes
    assert after["database"] == before["database"]
    assert after["broker"] != before["broker"]
    assert is_running(after["broker"])


def test_changed_settings_restart_a_running_program(make: Callable[..., Stack], recorder: Recorder) -> None:
    start(make(recorder.program("database")))
    before = make().state.processes["database"]
    start(make(recorder.program("database", argv=("sleep", "61"))))
    after = make().state.processes["database"]
    assert after != before
    assert not is_running(before)
    assert is_running(after)


def test_a_program_that_dies_is_named_with_its_words_and_its_users_are_not_started(
    make: Callable[..., Stack], recorder: Recorder
) -> None:
    def never(context: Context) -> None:
        raise NotReadyError("silence")

    dying = recorder.program("database", argv=("sh", "-c", "echo disk on fire >&2; exit 3"))
    stack = make(dataclasses.replace(dying, ready=never), recorder.program("registry", "database"))
    with pytest.raises(StackError, match="database stopped while it was starting") as failure:
        start(stack)
    assert "disk on fire" in failure.value.message
    assert "database.log" in str(failure.value)
    assert recorder.events == []
    assert stack.home.read_state().processes == {}


def test_a_program_that_never_gets_ready_is_stopped_and_named_with_the_reason(
    make: Callable[..., Stack], recorder: Recorder
) -> None:
    def never(context: Context) -> None:
        raise NotReadyError("no leader was elected")

    slow = dataclasses.replace(recorder.program("broker"), ready=never, start_seconds=0.3)
    with pytest.raises(StackError, match="no leader was elected"):
        start(make(slow))
    assert make(slow).home.read_state().processes == {}


def test_other_programs_come_up_although_one_fails(make: Callable[..., Stack], recorder: Recorder) -> None:
    def never(context: Context) -> None:
        raise NotReadyError("silence")

    failing = dataclasses.replace(recorder.program("broker", argv=("false",)), ready=never)
    with pytest.raises(StackError, match="broker"):
        start(make(failing, recorder.program("database")))
    assert is_running(make().state.processes["database"])


def test_work_that_needs_some_programs_begins_before_the_others_are_ready(
    make: Callable[..., Stack], recorder: Recorder
) -> None:
    working = threading.Event()

    def not_before_work(context: Context) -> None:
        if not working.is_set():
            raise NotReadyError("the work has not begun")

    slow = dataclasses.replace(recorder.program("models"), ready=not_before_work)
    database = recorder.program("database")
    stack = make(slow, database)
    with stack.starting(stack.settle(), stack.programs) as await_ready:
        await_ready([database])
        assert recorder.events == ["database ready", "database provisioned"]
        working.set()
    assert recorder.events[-1] == "models provisioned"


def test_a_program_that_fails_during_the_work_is_told_after_it(make: Callable[..., Stack], recorder: Recorder) -> None:
    def never(context: Context) -> None:
        raise NotReadyError("silence")

    failing = dataclasses.replace(recorder.program("models", argv=("false",)), ready=never)
    stack = make(failing)
    with pytest.raises(StackError, match="models stopped"), stack.starting(stack.settle(), stack.programs):
        recorder.events.append("worked")
    assert recorder.events == ["worked"]


def test_every_failing_program_is_named(make: Callable[..., Stack], recorder: Recorder) -> None:
    def never(context: Context) -> None:
        raise NotReadyError("silence")

    failing = [dataclasses.replace(recorder.program(name, argv=("false",)), ready=never) for name in ("a", "b", "c")]
    with pytest.raises(StackError, match="Failed as well: b, c") as failure:
        start(make(*failing))
    assert str(failure.value).startswith("a stopped")


def test_a_process_whose_program_is_no_longer_part_of_the_stack_is_stopped(
    make: Callable[..., Stack], recorder: Recorder
) -> None:
    start(make(recorder.program("normalizer-1"), recorder.program("normalizer-2")))
    second = make().state.processes["normalizer-2"]
    smaller = make(recorder.program("normalizer-1"))
    smaller.stop_strangers()
    assert not is_running(second)
    assert set(smaller.home.read_state().processes) == {"normalizer-1"}


def test_the_frames_of_a_java_stack_trace_tell_nothing() -> None:
    log = ["Caused by: java.net.BindException: Address in use", "\tat sun.nio.ch.Net.bind0(Native)", "\t... 9 more", ""]
    assert telling(log) == ["Caused by: java.net.BindException: Address in use"]


def test_what_java_says_of_its_class_cache_tells_nothing() -> None:
    log = [
        "Configuration is invalid",
        "Picked up JAVA_TOOL_OPTIONS: -Djava.class.path=a.jar",
        "AOTCache creation",
    ]
    assert telling(log) == ["Configuration is invalid"]


def test_nothing_is_fetched_for_what_is_known_and_not_asked_for_but_its_place_is(
    make: Callable[..., Stack], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.lifecycle.is_free", lambda _: True)

    def fetch() -> None:
        recorder.events.append("fetched")

    lake = dataclasses.replace(recorder.program("lake"), fetch=fetch, ports=("lake",))
    database = dataclasses.replace(recorder.program("database"), ports=("database",))
    stack = make(database, lake)
    assert set(stack.settle([database]).ports) == {"database", "lake"}
    assert recorder.events == []
    stack.settle()
    assert recorder.events == ["fetched"]


def test_what_was_asked_for_and_did_not_come_up_is_still_wanted(make: Callable[..., Stack], recorder: Recorder) -> None:
    def never(context: Context) -> None:
        raise NotReadyError("silence")

    failing = dataclasses.replace(recorder.program("broker", argv=("false",)), ready=never)
    with pytest.raises(StackError, match="broker"):
        start(make(failing, recorder.program("database")))
    assert make().state.wanted == {"broker", "database"}
    stack = make(failing, recorder.program("database"))
    stack.stop_all([failing])
    assert make().state.wanted == {"database"}


def test_what_nothing_waits_for_is_started_and_left_to_itself(make: Callable[..., Stack], recorder: Recorder) -> None:
    stack = make(recorder.program("models"))
    stack.begin(stack.settle(), stack.programs)
    first = make().state.processes["models"]
    assert is_running(first)
    assert recorder.events == []
    again = make(recorder.program("models"))
    again.begin(again.settle(), again.programs)
    assert make().state.processes == {"models": first}
    start(make(recorder.program("models")))
    assert recorder.events == ["models ready", "models provisioned"]
    assert make().state.processes == {"models": first}


def test_provisioning_that_was_interrupted_is_made_up_for(make: Callable[..., Stack], recorder: Recorder) -> None:
    def interrupted(context: Context) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(make(dataclasses.replace(recorder.program("database"), provision=interrupted)))
    recorder.events.clear()
    start(make(recorder.program("database")))
    assert recorder.events == ["database ready", "database provisioned"]
