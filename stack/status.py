"""Collects and prints the state of a stack on one screen, and says whether all that should run is ready."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from prometheus_client.samples import Sample

from stack import lake_figures
from stack.engines import dagster
from stack.engines.kafka import bootstrap_servers
from stack.engines.postgresql import OWNER, database_url
from stack.errors import StackError
from stack.figures import ABOUT, AT_MOST, Figures, asked, broker_lag, lag, messages, models, rows, scrape, webhooks
from stack.home import State
from stack.processes import is_running, memory_bytes, started_at
from stack.program import Context, Kind, NotReadyError, Program
from stack.services import metrics_port

_MEBIBYTE = 1 << 20
_GATEWAY = "gateway"
_INFERENCE = "inference"
_READY = "ready"
_LEGEND = {
    AT_MOST: "at most: Kafka's figure, where the service itself tells none",
    ABOUT: "about: the table's statistics, where counting takes too long",
}


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One line of the screen."""

    name: str
    kind: Kind
    state: str
    pid: int | None = None
    started: float | None = None
    memory_bytes: int = 0
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """All that the screen shows; a part that could not be asked is None."""

    home: str
    programs: Sequence[ProgramStatus]
    lag: Figures | None = None
    webhooks: Figures | None = None
    messages: Figures | None = None
    rows: Figures | None = None
    models: Figures | None = None
    # Empty where no lakehouse is meant to run.
    lake: Sequence[str] | None = ()
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def missing(self) -> Sequence[ProgramStatus]:
        """What should run and is not ready."""
        return [program for program in self.programs if program.wanted and program.state != _READY]


def collect(context: Context, programs: Sequence[Program], state: State) -> Report:
    """Ask everything at the same time; what does not answer in time is left out."""
    wanted = [one for one in programs if one.name in state.wanted and one.kind is Kind.SERVICE]
    with ThreadPoolExecutor(max_workers=len(programs) + len(wanted) + 3) as pool:
        states = [pool.submit(program_status, context, program, state) for program in programs]
        samples = {one.name: pool.submit(_samples, context, one.name) for one in wanted}
        broker = pool.submit(asked, lambda: broker_lag(bootstrap_servers(context)))
        counted = pool.submit(asked, lambda: rows(database_url(context, OWNER)))
        lake = pool.submit(_lake, context) if dagster.PAGES.name in state.wanted else None
    scraped = {name: answer.result() for name, answer in samples.items()}
    gateway, inference = scraped.get(_GATEWAY), scraped.get(_INFERENCE)
    told = [sample for answer in scraped.values() if answer for sample in answer]
    started = {status.result().name for status in states if status.result().pid}
    return Report(
        home=str(context.home.root),
        programs=[status.result() for status in states],
        lag=_lag(scraped, broker.result()),
        webhooks=None if gateway is None else webhooks(gateway),
        messages=messages(told) if told else None,
        rows=counted.result(),
        models=None if inference is None else models(inference),
        lake=() if lake is None else lake.result(),
        links={program.name: program.links(context) for program in programs if program.name in started},
    )


def program_status(context: Context, program: Program, state: State) -> ProgramStatus:
    """Whether one program runs and is ready."""
    record = state.processes.get(program.name)
    wanted = record is not None or program.name in state.wanted
    shown = partial(ProgramStatus, program.name, program.kind, wanted=wanted)
    if record is None:
        return shown("FAILED TO START (its log tells why; `up` tries again)" if wanted else "not started")
    if not is_running(record):
        return shown("CRASHED (`up` restarts it)")
    try:
        program.ready(context)
        answer = _READY
    except NotReadyError as error:
        answer = f"NOT READY: {error}"
    except StackError as error:
        answer = f"NOT READY: {error.message}"
    return shown(answer, record.pid, started_at(record.pid), memory_bytes(record.pid))


def render(report: Report) -> str:
    """The screen's text."""
    lines = [f"Tidegate in {report.home}"]
    for kind in Kind:
        lines += ["", f"{kind.value.capitalize()}s"]
        lines += [_program_line(program) for program in report.programs if program.kind is kind]
    lines += [f"  {'memory':<14} {sum(p.memory_bytes for p in report.programs) / _MEBIBYTE:>24.0f} MiB in all", ""]
    lines += _count_lines("Webhooks", report.webhooks, "the gateway does not answer")
    lines += _count_lines("Stages", report.messages, "no stage answers")
    lines += _count_lines("Rows", report.rows, "PostgreSQL does not answer")
    lines += _count_lines("Lag", report.lag, "Kafka does not answer")
    lines += _model_lines(report.models)
    lines += _lake_lines(report.lake)
    figures = "".join(figure for one in (report.lag, report.rows) if one for figure in one.values())
    lines += [f"          {mark} {meaning}" for mark, meaning in _LEGEND.items() if mark in figures]
    if report.links:
        lines += ["", "Links"]
        lines += [
            f"  {name:<14} {what:<10} {where}" for name, links in report.links.items() for what, where in links.items()
        ]
    return "\n".join([*lines, "", _verdict(report)]) + "\n"


def _verdict(report: Report) -> str:
    wanted = [program for program in report.programs if program.wanted]
    if not wanted:
        return "Nothing is meant to run; `python -m stack up` starts all of it."
    if report.missing:
        names = ", ".join(f"{one.name} ({one.state.partition(' (')[0].partition(':')[0]})" for one in report.missing)
        return f"NOT READY: {len(report.missing)} of {len(wanted)}: {names}"
    return f"All {len(wanted)} that were started are ready."


def _program_line(program: ProgramStatus) -> str:
    if program.pid is None or program.started is None:
        return f"  {program.name:<14} {program.state}"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(program.started))
    memory = f"{program.memory_bytes / _MEBIBYTE:.0f} MiB"
    return f"  {program.name:<14} pid {program.pid:<8} {memory:>10}  since {since}  {program.state}"


def _count_lines(title: str, counts: Figures | None, silence: str) -> list[str]:
    if counts is None:
        return [f"{title:<9} ({silence})"]
    if not counts:
        return [f"{title:<9} none yet"]
    return [f"{title:<9} " + "  ".join(f"{name} {count}" for name, count in counts.items())]


def _model_lines(figures: Figures | None) -> list[str]:
    if not figures:
        return [f"{'Models':<9} {'(inference does not answer)' if figures is None else 'not asked yet'}"]
    return [f"{'' if number else 'Models':<9} {name:<9} {told}" for number, (name, told) in enumerate(figures.items())]


def _lake_lines(told: Sequence[str] | None) -> list[str]:
    lines = ("(Dagster does not answer)",) if told is None else told
    return [f"{'' if number else 'Lake':<9} {line}" for number, line in enumerate(lines)]


def _lake(context: Context) -> Sequence[str] | None:
    now = time.time_ns() / 1e9
    try:
        return lake_figures.told(dagster.ask(context, lake_figures.question(now)), now)
    except NotReadyError:
        return None


def _samples(context: Context, name: str) -> Sequence[Sample] | None:
    return asked(lambda: scrape(context.ports[metrics_port(name)]))


def _lag(
    scraped: Mapping[str, Sequence[Sample] | None], broker: Mapping[str, Mapping[tuple[str, int], int]] | None
) -> Figures | None:
    consumers = {name: samples for name, samples in scraped.items() if metrics_port(name) == f"{name}-metrics"}
    if broker is None and not consumers:
        return None
    return lag(consumers, broker)
