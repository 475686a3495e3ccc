import dataclasses
from pathlib import Path

import pytest

from stack.engines import ENGINES
from stack.lake import LAKE
from stack.processes import Launch
from stack.program import Context, Kind, Program, launch_fingerprint, start_order
from stack.services import services


def _launch(context: Context) -> Launch:
    return Launch(["true"], context.home.root)


def program(name: str, *needs: str) -> Program:
    return Program(name, Kind.ENGINE, launch=_launch, ready=lambda _: None, needs=needs)


def names(programs: list[Program]) -> list[str]:
    return [program.name for program in programs]


def test_what_is_needed_comes_first() -> None:
    order = names(start_order([program("c", "b"), program("b", "a"), program("a")]))
    assert order == ["a", "b", "c"]


def test_needs_outside_the_set_count_as_met() -> None:
    assert names(start_order([program("b", "a")])) == ["b"]


def test_a_circle_of_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        start_order([program("a", "b"), program("b", "a")])


def test_the_stacks_own_table_can_be_ordered_and_has_no_name_twice() -> None:
    everything = [*ENGINES, *LAKE, *services(normalizers=3)]
    order = names(start_order(everything))
    assert order.index("postgresql") < order.index("apicurio")
    assert order.index("inference") < order.index("orchestrator")
    assert len(set(order)) == len(everything)
    ports = [port for one in everything for port in one.ports]
    assert len(ports) == len(set(ports))


def test_a_launch_is_compared_by_all_that_it_was_started_with() -> None:
    launch = Launch(["run", "-x"], Path("/somewhere"), {"A": "1"}, None, "key=value")
    changed = [
        {"argv": ["run"]},
        {"cwd": Path("/elsewhere")},
        {"environment": {"A": "2"}},
        {"user": "nobody"},
        {"configuration": "key=other"},
    ]
    prints = {launch_fingerprint(dataclasses.replace(launch, **change)) for change in changed}  # type: ignore[arg-type]
    assert len(prints | {launch_fingerprint(launch)}) == len(changed) + 1


def test_writing_or_reading_a_class_cache_is_no_other_launch() -> None:
    reading = Launch(["java", "-XX:AOTCache=/cache/kafka.aot", "Main"], Path("/"))
    writing = Launch(["java", "-XX:AOTCacheOutput=/home/new.aot", "Main"], Path("/"))
    assert launch_fingerprint(reading) == launch_fingerprint(writing)


def test_a_fingerprint_does_not_show_the_secrets_it_covers() -> None:
    launch = Launch(["run"], Path("/"), {"PASSWORD": "hunter2"})
    assert "hunter2" not in launch_fingerprint(launch)
