"""Command line of the stack: up, down, status, logs, lock."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from stack.commands import down, env, lock, logs, status, up
from stack.errors import StackError
from stack.lake import PROFILE

_FAILED = 1
_INTERRUPTED = 130

COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "up": up,
    "down": down,
    "status": status,
    "logs": logs,
    "env": env,
    "lock": lock,
}


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(
        prog="python -m stack", description="Runs Tidegate's engines and services on this machine."
    )
    commands = root.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start what is not running, and wait until it is ready")
    start.add_argument("names", nargs="*", help="start these alone, and deploy nothing; all by default")
    start.add_argument(
        "--engines-only", action="store_true", help="only the engines: no topics, no tables, no services"
    )
    start.add_argument(
        "--profile", choices=[PROFILE], help="also the lakehouse: Trino, Dagster, Superset (it is fetched first)"
    )
    stop = commands.add_parser("down", help="stop services and engines; data is kept")
    stop.add_argument("names", nargs="*", help="stop these alone; all by default")
    stop.add_argument("--when-gone", type=int, metavar="PID", help="wait until this process is gone, then stop")
    commands.add_parser("status", help="engines, services, lag and counts on one screen")
    follow = commands.add_parser("logs", help="show logs, and follow them")
    follow.add_argument("names", nargs="*", help="programs to show; all by default")
    follow.add_argument("--lines", type=int, default=10, help="lines of each log to begin with")
    follow.add_argument("--no-follow", action="store_true", help="print and return")
    show = commands.add_parser("env", help="print addresses and credentials as environment variables")
    show.add_argument("name", help="a database role (owner, writer, reader, monitor), lake, or a service")
    commands.add_parser("lock", help="regenerate maven.lock (downloads every artifact)")
    return root


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    parsed = parser().parse_args(arguments)
    try:
        return COMMANDS[parsed.command](parsed)
    except StackError as error:
        sys.stderr.write(f"\n{error}\n")
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
