"""What each command of the stack does, from arguments to exit code."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from stack.deploy import deploy
from stack.engines import ENGINES, UNAWAITED, mlflow, superset, trino
from stack.engines.postgresql import MONITOR, OWNER, READER, WRITER
from stack.environment import engine_addresses, lake_addresses, public_environment, render, store_addresses
from stack.errors import StackError
from stack.home import STRIPE_WEBHOOK_SECRET, Home, write_private
from stack.lake import LAKE, PROFILE
from stack.lifecycle import Stack
from stack.logs import follow, followers_at_end, known_logs, recent
from stack.processes import await_end
from stack.program import Context, Program
from stack.services import NORMALIZERS, services
from stack.status import collect
from stack.status import render as render_status

ROLES = {"owner": OWNER, "writer": WRITER, "reader": READER, "monitor": MONITOR}


def up(arguments: Namespace) -> int:
    """Start what does not run; write `stack.env`, after a failure as well: it tells what runs.

    It returns when everything that decisions need is ready, and with the profile `lake` the lakehouse.
    """
    home = Home.from_environment()
    with home.locked():
        stack = Stack(home, [*ENGINES, *LAKE], _say) if arguments.engines_only else _whole_stack()
        try:
            if arguments.names:
                chosen = _chosen(stack, arguments.names)
                stack.start_all(stack.settle([*_core(stack), *chosen]), chosen)
            else:
                _up_all(stack)
                _up_lake(stack, asked=arguments.profile == PROFILE)
        finally:
            if stack.state.processes:
                _write_env(stack)
    for program in stack.programs:
        if program.name in stack.state.processes:
            for what, where in program.links(stack.context()).items():
                _say(f"  {program.name:<14} {what:<10} {where}")
    return 0


def down(arguments: Namespace) -> int:
    """Stop services, then engines; with `--when-gone`, as soon as that process has ended in whatever way."""
    home = Home.from_environment()
    if arguments.when_gone is not None:
        await_end(arguments.when_gone)
    with home.locked():
        stack = _whole_stack()
        if arguments.names:
            stack.stop_all(_chosen(stack, arguments.names))
        else:
            stack.stop_strangers()
            stack.stop_all([program for program in stack.programs if program not in ENGINES])  # the lakehouse too
            stack.stop_all(ENGINES)
    return 0


def status(arguments: Namespace) -> int:
    """Print the whole stack on one screen; 1 when something that should run is not ready."""
    del arguments
    stack = _whole_stack()
    if not stack.state.ports:
        _say(f"Nothing was ever started in {stack.home.root}. Run `python -m stack up`.")
        return 0
    known = {*stack.state.processes, *stack.state.wanted}
    programs = [program for program in stack.programs if program not in LAKE or program.name in known]
    report = collect(_full_context(stack), programs, stack.state)
    sys.stdout.write(render_status(report))
    return 1 if report.missing else 0


def logs(arguments: Namespace) -> int:
    """Print the end of the logs, and what is added to them until interrupted."""
    home = Home.from_environment()
    chosen = known_logs(home.log_folder, arguments.names)
    if not any(path.exists() for path in chosen.values()):
        known = ", ".join(known_logs(home.log_folder, [])) or "none"
        raise StackError("There is no such log", f"Logs in {home.log_folder}: {known}.")
    followers = followers_at_end(chosen)
    for line in recent(chosen, arguments.lines):
        _say(line)
    if not arguments.no_follow:
        for line in follow(chosen, followers):
            _say(line)
    return 0


def env(arguments: Namespace) -> int:
    """Print the addresses with one database role, or one service's own variables."""
    stack = _whole_stack()
    if arguments.name == PROFILE:
        _require_ports(stack, ENGINES)
        sys.stdout.write(render(lake_addresses(_full_context(stack))))
        return 0
    if arguments.name == superset.PUBLISHER:
        _require_ports(stack, [trino.ENGINE, superset.ENGINE])
        sys.stdout.write(render(superset.publisher_environment(_full_context(stack))))
        return 0
    if role := ROLES.get(arguments.name):
        _require_ports(stack, ENGINES)
        context = _full_context(stack)
        sys.stdout.write(render({**engine_addresses(context, role), **store_addresses(context)}))
        return 0
    (chosen,) = _chosen(stack, [arguments.name])
    _require_ports(stack, [*ENGINES, chosen])
    sys.stdout.write(render(chosen.launch(_full_context(stack)).environment))
    return 0


def lock(arguments: Namespace) -> int:
    """Rewrite maven.lock."""
    from stack.locking import regenerate

    del arguments
    locked = regenerate()
    count = sum(len(section) for section in locked.sections.values())
    _say(f"locked {count} artifacts; review the difference before committing")
    return 0


def _up_all(stack: Stack) -> None:
    _say(f"Engines ({stack.home.root})")
    context = stack.settle(_core(stack))
    ours = [program for program in _core(stack) if program not in ENGINES]
    if not ours:
        stack.start_all(context, ENGINES)
        return
    stack.stop_strangers()
    late = [mlflow.ENGINE] if mlflow.has_tables(context) else []
    with stack.starting(context, [engine for engine in ENGINES if engine not in late]) as await_ready:
        await_ready([engine for engine in ENGINES if engine not in UNAWAITED])
        _say("Topics, schemas, tables")
        deploy({**os.environ, **engine_addresses(context, OWNER)}, stack.home.log_folder, _say)
        _say("Services")
        stack.start_all(context, ours)
    stack.begin(context, late)  # it takes seconds of processor time, and no decision needs it


def _up_lake(stack: Stack, *, asked: bool) -> None:
    """Start the lakehouse, or what of it was asked for before and not stopped since; after all else, which needs none.

    It is fetched now, for the same reason.
    """
    programs = [program for program in LAKE if asked or program.name in stack.state.wanted]
    if programs:
        _say("Lakehouse")
        stack.start_all(stack.settle([*_core(stack), *programs]), programs)


def _core(stack: Stack) -> list[Program]:
    return [program for program in stack.programs if program not in LAKE]


def _chosen(stack: Stack, names: Sequence[str]) -> list[Program]:
    known = {program.name: program for program in stack.programs}
    if unknown := [name for name in names if name not in known]:
        raise StackError(f"There is no {', '.join(unknown)}", f"One of: {', '.join(known)}.")
    return [known[name] for name in names]


def _whole_stack() -> Stack:
    return Stack(Home.from_environment(), [*ENGINES, *LAKE, *services(NORMALIZERS.read())], _say)


def _require_ports(stack: Stack, programs: Sequence[Program]) -> None:
    missing = [program.name for program in programs if any(port not in stack.state.ports for port in program.ports)]
    if missing:
        raise StackError(f"Never started in {stack.home.root}: {', '.join(missing)}", "Run `python -m stack up` first.")


def _full_context(stack: Stack) -> Context:
    context = stack.context()
    return Context(context.home, context.ports, stack.home.secrets([STRIPE_WEBHOOK_SECRET, *context.secrets]))


def _write_env(stack: Stack) -> None:
    environment = public_environment(_full_context(stack), stack.state.processes)
    write_private(stack.home.env_file, render(environment))
    _say(f"Addresses are in {stack.home.env_file}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
