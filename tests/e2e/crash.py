"""Kills the platform's processes in turn during a steady run, and checks that nothing acknowledged was lost or doubled.

python -m tests.e2e.crash --seconds 60 --rate 30
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from services.runtime.clock import SystemClock
from stack.home import REPOSITORY_ROOT
from tests.e2e.platform import Platform, event_ids, start, stop

TARGETS = ("gateway", "normalizer-1", "orchestrator", "inference", "kafka")
# How long a killed program stays dead before it is started again.
_DEAD_SECONDS = 1.0
# Load on a whole platform before the next program is killed, and after the last.
_CALM_SECONDS = 3.0
# Longest that repairs may draw a run out.
_LONGEST_SECONDS = 1200.0
# Time for the last redeliveries and workflows after the run: clients, Temporal and the relay back off.
_SETTLE_SECONDS = 240.0
_RETRY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Crash:
    """One program that was killed, in seconds after the start of the run."""

    program: str
    killed: float
    ready: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found after a run. Every list should be empty."""

    acknowledged: int
    never_acknowledged: int
    redelivered: int
    # Acknowledged events without exactly one row, one decision and one message: event id and the three counts.
    wrong: Sequence[tuple[str, int, int, int]]
    # Rows, decisions or messages of events that nobody sent.
    strange: Sequence[str]
    # Answers other than the expected ones, once all was redelivered.
    unexpected: int

    @property
    def passed(self) -> bool:
        """Whether the promise was kept."""
        return self.acknowledged > 0 and not self.wrong and not self.strange


def main(arguments: Sequence[str]) -> int:
    """Run, kill, repair, check; 1 when the promise was broken."""
    options = _parser().parse_args(arguments)
    if options.home is not None:
        return _tell(*run(Platform(options.home.resolve()), options.seconds, options.rate, options.targets))
    with tempfile.TemporaryDirectory(prefix="tidegate-crash-") as folder:
        home = Path(folder)
        try:
            return _tell(*run(start(home), options.seconds, options.rate, options.targets))
        finally:
            stop(home)


def run(platform: Platform, seconds: float, rate: float, targets: Sequence[str]) -> tuple[list[Crash], Verdict]:
    """Send at a steady rate, kill each target in turn, wait until all is through, and check."""
    began_at = SystemClock().now()
    with tempfile.TemporaryDirectory(prefix="tidegate-report-") as folder:
        report = Path(folder) / "report.json"
        sender = _send(platform, seconds, rate, report)
        try:
            crashes = _break(platform, sender, seconds, targets)
            # Sending ends when asked to: repairs take their time, and the load must last until after the last one.
            sender.send_signal(signal.SIGINT)
            output, _ = sender.communicate(timeout=_RETRY_SECONDS + 60)
        finally:
            sender.kill()
        if not report.exists():
            raise AssertionError(f"the simulator wrote no report:\n{output}")
        deliveries = orjson.loads(report.read_bytes())["deliveries"]
    _settle(platform, _acknowledged(deliveries, "normalised"))
    return crashes, verdict(platform, deliveries, began_at.isoformat())


def verdict(platform: Platform, deliveries: Sequence[dict[str, Any]], since: str) -> Verdict:
    """Compare what was sent with what the platform holds."""
    good = _acknowledged(deliveries, "normalised")
    rows = Counter(_column(platform, "payment_events", since))
    made = Counter(_column(platform, "decisions", since))
    sent = {f"stripe:{one['event_id']}" for one in deliveries}
    every = platform.read("payments.decisions")
    recent = Counter(
        event_id for event_id, one in zip(event_ids(every), every, strict=True) if _decided_since(one.message, since)
    )
    wrong = [
        (event_id, rows[event_id], made[event_id], recent[event_id])
        for event_id in sorted(good)
        if (rows[event_id], made[event_id], recent[event_id]) != (1, 1, 1)
    ]
    # An event that was never acknowledged may have got through all the same, and then once.
    doubled = [(event_id, rows[event_id], made[event_id], n) for event_id, n in recent.items() if n > 1]
    return Verdict(
        acknowledged=len(good),
        never_acknowledged=sum(not one["acknowledged"] for one in deliveries if one["expected"] == "normalised"),
        redelivered=sum(one["attempts"] > 1 for one in deliveries),
        wrong=[*wrong, *(one for one in doubled if one not in wrong)],
        strange=sorted((rows.keys() | made.keys() | recent.keys()) - sent),
        unexpected=sum(not one["as_expected"] for one in deliveries),
    )


def table(crashes: Sequence[Crash], found: Verdict) -> str:
    """The result as people read it."""
    return "\n".join(
        [
            f"  {'killed (kill -9)':<18}{'at':>8}{'ready again':>14}{'after':>9}",
            *(f"  {c.program:<18}{c.killed:>6.1f} s{c.ready:>12.1f} s{c.ready - c.killed:>7.1f} s" for c in crashes),
            "",
            f"  acknowledged events                        {found.acknowledged:>6}",
            f"  of all deliveries, needed more than one try{found.redelivered:>6}",
            f"  never acknowledged                         {found.never_acknowledged:>6}",
            f"  answers other than expected in the end     {found.unexpected:>6}",
            f"  acknowledged, not exactly one of each      {len(found.wrong):>6}",
            f"  held, but never sent                       {len(found.strange):>6}",
            *(f"    {event_id}: {r} rows, {d} decisions, {m} messages" for event_id, r, d, m in found.wrong[:20]),
            *(f"    {event_id}: nobody sent it" for event_id in found.strange[:20]),
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.crash", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="least length of the run (default 60)")
    parser.add_argument("--rate", type=float, default=30.0, help="webhooks a second (default 30)")
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), help=f"default: {' '.join(TARGETS)}")
    parser.add_argument("--home", type=Path, help="a running stack's folder (default: a platform of its own)")
    return parser


def _send(platform: Platform, seconds: float, rate: float, report: Path) -> subprocess.Popen[str]:
    longest = str(seconds + _LONGEST_SECONDS)
    command = [sys.executable, "-m", "services.simulator", "--seconds", longest, "--rate", str(rate)]
    faults = ["--duplicates", "0.03", "--reordered", "0.05", "--bad-signatures", "0.02", "--malformed", "0.03"]
    retry = ["--retry", "--retry-seconds", str(_RETRY_SECONDS), "--report", str(report)]
    return subprocess.Popen(
        [*command, *faults, *retry],
        cwd=REPOSITORY_ROOT,
        env=platform.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _break(platform: Platform, sender: subprocess.Popen[str], seconds: float, targets: Sequence[str]) -> list[Crash]:
    began = time.monotonic()
    crashes: list[Crash] = []
    pause = seconds / (len(targets) + 1)
    for number, program in enumerate(targets, start=1):
        # Evenly over the run; where a repair took long, after a calm that shows whether all goes on.
        time.sleep(max(_CALM_SECONDS if crashes else 0.0, began + pause * number - time.monotonic()))
        if sender.poll() is not None:
            raise AssertionError(f"the simulator ended by itself before {program} was killed")
        killed = time.monotonic() - began
        platform.kill(program)
        time.sleep(_DEAD_SECONDS)
        platform.repair(program)
        crashes.append(Crash(program, killed, time.monotonic() - began))
    time.sleep(max(_CALM_SECONDS, began + seconds - time.monotonic()))
    return crashes


def _settle(platform: Platform, wanted: set[str]) -> None:
    # A service that gave up meanwhile (its neighbour was gone for long) is started as an operator would.
    if platform.stopped():
        platform.repair()
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        held = platform.query("SELECT event_id FROM tidegate.decisions WHERE event_id = ANY(%s)", list(wanted))
        waiting = platform.query("SELECT count(*) FROM tidegate.decision_outbox")[0][0]
        if len(held) == len(wanted) and waiting == 0:
            return
        time.sleep(1.0)


def _acknowledged(deliveries: Sequence[dict[str, Any]], expected: str) -> set[str]:
    return {f"stripe:{one['event_id']}" for one in deliveries if one["acknowledged"] and one["expected"] == expected}


def _column(platform: Platform, name: str, since: str) -> list[str]:
    statements = {
        "payment_events": "SELECT event_id FROM tidegate.payment_events WHERE stored_at >= %s::timestamptz",
        "decisions": "SELECT event_id FROM tidegate.decisions WHERE stored_at >= %s::timestamptz",
    }
    return [row[0] for row in platform.query(statements[name], since)]


def _decided_since(message: Any, since: str) -> bool:
    return bool(message.decided_at.ToJsonString() >= since.replace("+00:00", "Z"))


def _tell(crashes: Sequence[Crash], found: Verdict) -> int:
    sys.stdout.write(f"{table(crashes, found)}\n\n{'PASSED' if found.passed else 'FAILED'}\n")
    return 0 if found.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
