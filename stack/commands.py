"""What each command of the stack does, from arguments to exit code."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from stack.engines import ENGINES
from stack.engines.postgresql import OWNER, READER, WRITER
from stack.environment import engine_addresses, public_environment, render
from stack.errors import StackError
from stack.home import STRIPE_WEBHOOK_SECRET, Home, write_private
from stack.lifecycle import Stack
from stack.locking import regenerate
from stack.program import Context, Program
from stack.services import configured_normalizers, exists, services

ROLES = {"owner": OWNER, "writer": WRITER, "reader": READER}


def up(arguments: Namespace) -> int:
    """Start what does not run; write `stack.env`."""
    home = Home.from_environment()
    with home.locked():
        if arguments.engines_only:
            _up_engines(home)
        else:
            _up_everything(home)
    return 0


def down(arguments: Namespace) -> int:
    """Stop services, then engines."""
    del arguments
    home = Home.from_environment()
    with home.locked():
        programs = [*ENGINES, *services(configured_normalizers())]
        stack = Stack(home, programs, _say)
        stack.stop_strangers()
        stack.stop_all([program for program in programs if program not in ENGINES])
        stack.stop_all(ENGINES)
    return 0


def env(arguments: Namespace) -> int:
    """Print the addresses with one database role, or one service's own variables."""
    stack = Stack(Home.from_environment(), [*ENGINES, *services(configured_normalizers())], _say)
    context = _full_context(stack)
    if role := ROLES.get(arguments.name):
        _require_ports(context, ENGINES)
        sys.stdout.write(render(engine_addresses(context, role)))
        return 0
    chosen = [program for program in stack.programs if program.name == arguments.name]
    if not chosen:
        raise StackError(f"There is no {arguments.name!r}", f"One of: {', '.join([*ROLES, *(p.name for p in stack.programs)])}.")
    _require_ports(context, [*ENGINES, *chosen])
    sys.stdout.write(render(chosen[0].launch(context).environment))
    return 0


def lock(arguments: Namespace) -> int:
    """Rewrite maven.lock."""
    del arguments
    locked = regenerate()
    _say(f"locked {sum(len(section) for section in locked.sections.values())} artifacts; review the difference before committing")
    return 0


def _up_engines(home: Home) -> None:
    stack = Stack(home, ENGINES, _say)
    _say(f"Engines ({home.root})")
    context = stack.settle()
    stack.start_all(context, ENGINES)
    _write_env(_full_context(stack))


def _require_ports(context: Context, programs: Sequence[Program]) -> None:
    missing = [program.name for program in programs if any(port not in context.ports for port in program.ports)]
    if missing:
        raise StackError(f"Never started in {context.home.root}: {', '.join(missing)}", "Run `python -m stack up` first.")


def _full_context(stack: Stack) -> Context:
    context = stack.context()
    return Context(context.home, context.ports, stack.home.secrets([STRIPE_WEBHOOK_SECRET, *context.secrets]))


def _write_env(context: Context) -> None:
    write_private(context.home.env_file, render(public_environment(context)))
    _say(f"Addresses are in {context.home.env_file}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _up_everything(home: Home) -> None:
    raise NotImplementedError


def status(arguments: Namespace) -> int:
    raise NotImplementedError


def logs(arguments: Namespace) -> int:
    raise NotImplementedError
