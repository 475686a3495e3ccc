"""Shows what serves, promotes, and goes back: `python -m mlops.registry {show,promote,rollback,audit}`."""

import argparse
import getpass
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mlops.registry.audit import AuditRecord
from mlops.registry.policy import POLICY_FILE, PolicyError, policy_for
from mlops.registry.ports import CHAMPION, RegistryError
from mlops.registry.promotion import Order, RefusedError, promote, rollback
from mlops.registry.settings import registry_from
from mlops.registry.store import Registry

REFUSED, FAILED = 1, 2


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.registry", description=__doc__)
    root.add_argument("--url", help="MLflow's base URL (default: TIDEGATE_MLFLOW_URL)")
    commands = root.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="versions of each model, which of them serves, and since when")
    show.add_argument("model", nargs="?")
    promoting = commands.add_parser("promote", help="let a version serve, if the policy allows it")
    promoting.add_argument("--version", help="default: the challenger")
    promoting.add_argument("--policy", type=Path, default=POLICY_FILE)
    back = commands.add_parser("rollback", help="let the version serve that served before")
    for command in (promoting, back):
        command.add_argument("model")
        command.add_argument("--why", required=True, help="for the record")
        command.add_argument("--by", default=getpass.getuser(), help="who asks, for the record (default: you)")
    audit = commands.add_parser("audit", help="every change of what serves, as lines of JSON")
    audit.add_argument("model")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 1 where the policy refuses, 2 where it cannot be done."""
    options = parser().parse_args(argv)
    try:
        for line in _run(options, registry_from(options.url)):
            sys.stdout.write(line + "\n")
    except RefusedError as refused:
        sys.stderr.write(f"{refused}\n")
        return REFUSED
    except (RegistryError, PolicyError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


def _run(options: argparse.Namespace, registry: Registry) -> Iterator[str]:
    if options.command == "show":
        for model in [options.model] if options.model else registry.models():
            yield from shown(registry, model)
        return
    if options.command == "audit":
        yield from (record.as_line() for record in registry.audit(options.model))
        return
    order = Order(options.by, time.time_ns() // 1_000_000, options.why)
    if options.command == "promote":
        policy = policy_for(options.model, options.policy)
        yield said(promote(registry, options.model, options.version, policy, order))
    else:
        yield said(rollback(registry, options.model, order))


def shown(registry: Registry, model: str) -> Iterator[str]:
    """Yield a line for each version, newest first."""
    versions = registry.versions(model)
    if not versions:
        raise RegistryError(f"there is no model {model!r}; `show` alone lists those that are registered")
    since = {record.to_version: record for record in registry.audit(model)}
    for version in versions:
        line = f"{model} {version.number:>4}  made {_time(version.created_ms)}  {', '.join(version.aliases)}"
        if CHAMPION in version.aliases and version.number in since:
            record = since[version.number]
            line += f" since {_time(record.at_ms)} ({record.action} by {record.by}: {record.why})"
        yield line.rstrip()


def said(record: AuditRecord) -> str:
    """A record as a sentence."""
    before = f"version {record.from_version}" if record.from_version else "nothing"
    return f"{record.model}: version {record.to_version} serves instead of {before} ({record.action} by {record.by})"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


if __name__ == "__main__":
    sys.exit(main())
