import dataclasses
from pathlib import Path

import pytest

from stack.home import Home, ProcessRecord, State
from stack.processes import Launch
from stack.program import Context, Kind, Program
from stack.status import ProgramStatus, Report, program_status, render

KAFKA = ProgramStatus("kafka", Kind.ENGINE, "ready", 42, 1_700_000_000.0, 200 << 20)
CRASHED = ProgramStatus("normalizer-2", Kind.SERVICE, "CRASHED (`up` restarts it)")


def last_line(report: Report) -> str:
    return render(report).splitlines()[-1]


def test_the_screen_shows_programs_counts_and_links() -> None:
    report = Report(
        home="/somewhere",
        programs=[KAFKA, ProgramStatus("gateway", Kind.SERVICE, "ready", 43, 1_700_000_000.0, 100 << 20)],
        lag={"normalizer": "7"},
        webhooks={"received": "3", "accepted": "2", "unverified": "1"},
        messages={},
        rows={"payment_events": "2"},
        links={"gateway": {"webhooks": "http://127.0.0.1:1/webhooks/stripe"}},
    )
    screen = render(report)
    assert "kafka          pid 42" in screen
    assert "300 MiB in all" in screen
    assert "Webhooks  received 3  accepted 2  unverified 1" in screen
    assert "Lag       normalizer 7" in screen
    assert "Stages    none yet" in screen
    assert "http://127.0.0.1:1/webhooks/stripe" in screen
    assert "at most" not in screen
    assert last_line(report) == "All 2 that were started are ready."


def test_what_cannot_be_asked_is_said_and_the_rest_shown() -> None:
    crashed = ProgramStatus("postgresql", Kind.ENGINE, "CRASHED (`up` restarts it)")
    screen = render(Report(home="/somewhere", programs=[KAFKA, crashed], lag={"normalizer": "0"}))
    assert "postgresql     CRASHED" in screen
    assert "Rows      (PostgreSQL does not answer)" in screen
    assert "Webhooks  (the gateway does not answer)" in screen
    assert "Lag       normalizer 0" in screen


def test_a_figure_that_is_not_exact_is_explained() -> None:
    screen = render(Report(home="/somewhere", programs=[KAFKA], lag={"normalizer": "≤6"}, rows={"decisions": "~9"}))
    assert "≤ at most" in screen
    assert "~ about" in screen


def test_the_last_line_names_what_should_run_and_is_not_ready() -> None:
    starting = ProgramStatus("mlflow", Kind.ENGINE, "NOT READY: /health: ConnectError", 7, 1_700_000_000.0)
    idle = ProgramStatus("gateway", Kind.SERVICE, "not started", wanted=False)
    report = Report(home="/somewhere", programs=[KAFKA, starting, CRASHED, idle])
    assert [program.name for program in report.missing] == ["mlflow", "normalizer-2"]
    assert last_line(report) == "NOT READY: 2 of 3: mlflow (NOT READY), normalizer-2 (CRASHED)"


def test_a_stopped_stack_lacks_nothing() -> None:
    report = Report(home="/somewhere", programs=[dataclasses.replace(CRASHED, state="not started", wanted=False)])
    assert not report.missing
    assert "Nothing is meant to run" in last_line(report)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(Home(tmp_path), {}, {})


PROGRAM = Program("gateway", Kind.SERVICE, launch=lambda c: Launch(["true"], c.home.root), ready=lambda _: None)


def test_a_program_that_failed_to_start_is_told_from_one_that_nobody_asked_for(context: Context) -> None:
    assert program_status(context, PROGRAM, State(wanted={"gateway"})).state.startswith("FAILED TO START")
    assert program_status(context, PROGRAM, State()) == ProgramStatus(
        "gateway", Kind.SERVICE, "not started", wanted=False
    )


def test_a_program_that_died_has_crashed(context: Context) -> None:
    state = State(processes={"gateway": ProcessRecord(1, "another boot:1", "")}, wanted={"gateway"})
    assert program_status(context, PROGRAM, state).state.startswith("CRASHED")


def test_the_lakehouse_is_told_of_where_it_is_meant_to_run() -> None:
    report = Report(home="/somewhere", programs=[KAFKA])
    assert "Lake" not in render(report)
    assert "Lake      refresh never ran\n          0 checks\n" in render(
        dataclasses.replace(report, lake=["refresh never ran", "0 checks"])
    )
    assert "Lake      (Dagster does not answer)\n" in render(dataclasses.replace(report, lake=None))
