"""Brings programs up in parallel where their needs allow it, and takes them down in reverse order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from stack.artifacts import require_free_space
from stack.errors import StackError
from stack.home import Home, ProcessRecord, State
from stack.ports import choose_ports, first_port_for, is_free
from stack.processes import identity, is_running, kill, start, stop, tail
from stack.program import Context, NotReadyError, Program, launch_fingerprint, start_order

_PROBE_INTERVAL_SECONDS = 0.1
_TAIL_LINES = 15
_SEARCHED_LINES = 400
# Frames of a stack trace, and what a JVM says of itself when it records which classes it loaded.
_UNTELLING = (
    "at ",
    "... ",
    "Picked up JAVA_TOOL_OPTIONS",
    "AOTCache",
    "Launching child process",
    "Reading AOT",
    "Temporary AOT",
    "Removed temporary AOT",
)

Say = Callable[[str], None]


def telling(lines: Sequence[str]) -> list[str]:
    """The lines of a log that tell an operator something: without blank ones, and without what Java says of itself."""
    return [line for line in lines if line.strip() and not line.lstrip().startswith(_UNTELLING)]


class SkippedError(Exception):
    """A program was not started because something it needs failed, which is reported by itself."""


def _await_all(tasks: Mapping[str, Future[None]]) -> None:
    failures = {name: error for name, task in tasks.items() if (error := task.exception())}
    reported = {name: error for name, error in failures.items() if not isinstance(error, SkippedError)}
    for error in reported.values():
        if not isinstance(error, StackError):
            raise error
    if reported:
        first, *others = reported.items()
        also = f"\n  Failed as well: {', '.join(name for name, _ in others)}." if others else ""
        raise StackError(str(first[1]) + also)


@dataclass(slots=True)
class Stack:
    """One home with the programs that belong in it. Whatever changes something expects the home's lock to be held."""

    home: Home
    programs: Sequence[Program]
    say: Say
    state: State = field(init=False)
    _state_lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.state = self.home.read_state()

    def settle(self, programs: Sequence[Program] | None = None) -> Context:
        """Forget dead processes, make files, ports and secrets present, and return what the programs depend on.

        Files are fetched for these programs alone, where they are told. Ports are chosen for all: each may ask where
        another one is, or will be.
        """
        fetched = self.programs if programs is None else programs
        for name in [name for name, record in self.state.processes.items() if not is_running(record)]:
            del self.state.processes[name]
        idle = [program for program in fetched if program.name not in self.state.processes]
        if idle:
            require_free_space(self.home.root)
        for program in idle:
            program.fetch()
        self._choose_ports()
        return self.context()

    def context(self) -> Context:
        """The context as remembered; ports may be missing before the first `settle`."""
        names = [secret for program in self.programs for secret in program.secrets]
        return Context(self.home, self.state.ports, self.home.secrets(names))

    def start_all(self, context: Context, programs: Sequence[Program]) -> None:
        """Start what does not run, or runs with other settings than now; return when all of them are ready.

        Raises `StackError` for the first failure in start order, naming the others, after the rest has come up.
        """
        with self.starting(context, programs):
            pass

    @contextmanager
    def starting(self, context: Context, programs: Sequence[Program]) -> Iterator[Callable[[Sequence[Program]], None]]:
        """As `start_all`, with the body at work meanwhile; it is given a function that waits for some of them."""
        order = start_order(programs)
        self._stop_outdated(context, order)
        self._want(program.name for program in order)
        if idle := [program.name for program in order if program.name not in self.state.processes]:
            self.say(f"  starting {', '.join(idle)}")
        tasks: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(max_workers=len(order) or 1) as pool:
            for program in order:
                needs = [tasks[need] for need in program.needs if need in tasks]
                tasks[program.name] = pool.submit(self._bring_up, context, program, needs)
            yield lambda awaited: _await_all({one.name: tasks[one.name] for one in awaited})
        _await_all(tasks)

    def begin(self, context: Context, programs: Sequence[Program]) -> None:
        """Start what does not run, or runs with other settings than now, and do not wait until it is ready."""
        self._stop_outdated(context, programs)
        self._want(program.name for program in programs)
        for program in programs:
            if program.name not in self.state.processes:
                self._launch(context, program)
                self.say(f"  {program.name:<14} still starting; `python -m stack status` tells when it is ready")

    def stop_all(self, programs: Sequence[Program]) -> None:
        """Stop what runs, in reverse order; several at a time where nothing needs the other."""
        context = self.context()
        order = [program for program in start_order(programs) if program.name in self.state.processes]
        tasks: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(max_workers=len(order) or 1) as pool:
            for program in reversed(order):
                users = [tasks[other.name] for other in order if program.name in other.needs]
                tasks[program.name] = pool.submit(self._take_down, context, program, users)
        for task in tasks.values():
            task.result()
        self._want_no_more(program.name for program in programs)

    def stop_strangers(self) -> None:
        """Stop recorded processes that no program stands for any more (a setting or a branch was changed)."""
        known = {program.name for program in self.programs}
        for name in [name for name in self.state.processes if name not in known]:
            kill(self.state.processes[name])
            self._forget(name)
            self._want_no_more([name])
            self.say(f"  {name:<14} stopped (it is no longer part of the stack)")

    def _choose_ports(self) -> None:
        running = self.state.processes
        ours = {
            self.state.ports[port]
            for program in self.programs
            if program.name in running
            for port in program.ports
            if port in self.state.ports
        }
        names = [port for program in self.programs for port in program.ports]
        first = first_port_for(str(self.home.root))
        choice = choose_ports(names, self.state.ports, lambda port: port in ours or is_free(port), first)
        for name, (old, new) in choice.moved.items():
            self.say(f"  port {old} of {name} is taken by another process; using {new} from now on")
        self.state.ports.update(choice.ports)
        self.home.write_state(self.state)

    def _stop_outdated(self, context: Context, order: Sequence[Program]) -> None:
        outdated = [
            program
            for program in order
            if (record := self.state.processes.get(program.name))
            and record.launch != launch_fingerprint(program.launch(context))
        ]
        if outdated:
            self.say(f"  settings changed: restarting {', '.join(program.name for program in outdated)}")
            self.stop_all(outdated)

    def _bring_up(self, context: Context, program: Program, needs: Sequence[Future[None]]) -> None:
        if any(need.exception() for need in needs):
            raise SkippedError(program.name)
        began = time.monotonic()
        known = self.state.processes.get(program.name)
        self._await_ready(context, program, known or self._launch(context, program))
        program.provision(context)  # of what ran already, too: a command that started it may have been interrupted
        if not known:
            self.say(f"  {program.name:<14} ready after {time.monotonic() - began:4.1f} s")

    def _launch(self, context: Context, program: Program) -> ProcessRecord:
        program.prepare(context)
        launch = program.launch(context)
        pid = start(launch, self.home.log(program.name))
        record = ProcessRecord(pid, identity(pid) or "", launch_fingerprint(launch))
        self._remember(program.name, record)
        return record

    def _await_ready(self, context: Context, program: Program, record: ProcessRecord) -> None:
        deadline = time.monotonic() + program.start_seconds
        while True:
            try:
                program.ready(context)
            except NotReadyError as error:
                reason = str(error)
            else:
                return
            if not is_running(record):
                self._forget(program.name)
                raise self._failure(program, "stopped while it was starting")
            if time.monotonic() > deadline:
                kill(record)
                self._forget(program.name)
                raise self._failure(program, f"was not ready after {program.start_seconds:.0f} s ({reason})")
            time.sleep(_PROBE_INTERVAL_SECONDS)

    def _failure(self, program: Program, what: str) -> StackError:
        log = self.home.log(program.name)
        lines = telling(tail(log, _SEARCHED_LINES))[-_TAIL_LINES:] or ["(the log is empty)"]
        return StackError(
            f"{program.name} {what}. The end of its log:\n" + "\n".join(f"    {line}" for line in lines),
            f"The whole log is {log}. Correct the cause and run `up` again; what runs already is left as it is.",
        )

    def _take_down(self, context: Context, program: Program, users: Sequence[Future[None]]) -> None:
        for user in users:
            user.result()
        record = self.state.processes[program.name]
        if stop(record, program.stop_signal, program.stop_seconds):
            program.settled(context)
            self.say(f"  {program.name:<14} stopped")
        else:
            self.say(f"  {program.name:<14} killed: it did not stop within {program.stop_seconds:.0f} s")
        self._forget(program.name)

    def _remember(self, name: str, record: ProcessRecord) -> None:
        with self._state_lock:
            self.state.processes[name] = record
            self.home.write_state(self.state)

    def _want(self, names: Iterable[str]) -> None:
        self.state.wanted.update(names)
        self.home.write_state(self.state)

    def _want_no_more(self, names: Iterable[str]) -> None:
        self.state.wanted.difference_update(names)
        self.home.write_state(self.state)

    def _forget(self, name: str) -> None:
        with self._state_lock:
            self.state.processes.pop(name, None)
            self.home.write_state(self.state)
