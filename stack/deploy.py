"""Runs the deploy steps between engines and services: topics, schemas, tables. Each can be run again and again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError
from stack.home import REPOSITORY_ROOT
from stack.processes import tail

_STEP_SECONDS = 300
_TAIL_LINES = 25


@dataclass(frozen=True, slots=True)
class Step:
    """One command that prepares the engines for the services; it reads the addresses from its environment."""

    name: str
    argv: Sequence[str]


MIGRATE: Sequence[str] = (sys.executable, "-m", "services.orchestrator.migrations")
STEPS: Sequence[Step] = (
    Step("topics", [sys.executable, "-m", "stack.topics"]),
    Step("schemas", [sys.executable, "-m", "codegen.register"]),
    Step("tables", MIGRATE),
)


def deploy(environment: Mapping[str, str], log_folder: Path, say: Callable[[str], None]) -> None:
    """Run all steps, at the same time since none needs another; raises `StackError` for the first that fails."""
    with ThreadPoolExecutor(max_workers=len(STEPS)) as pool:
        tasks = [pool.submit(_run, step, environment, log_folder, say) for step in STEPS]
    for task in tasks:
        task.result()


def _run(step: Step, environment: Mapping[str, str], log_folder: Path, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    log = log_folder / f"deploy-{step.name}.log"
    with log.open("wb") as output:
        try:
            code = subprocess.run(
                step.argv,
                cwd=REPOSITORY_ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_STEP_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
    if code != 0:
        how = "did not finish in time" if code is None else "failed"
        lines = "\n".join(f"    {line}" for line in tail(log, _TAIL_LINES))
        raise StackError(f"Deploying {step.name} {how}:\n{lines}", f"The whole log is {log}.")
    say(f"  {step.name:<14} deployed after {time.monotonic() - began:.1f} s")
