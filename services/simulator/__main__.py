"""Command line of the simulator."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import islice, takewhile
from pathlib import Path

import orjson

from services.runtime.clock import Clock, SystemClock, SystemIds
from services.simulator.adapters.parquet import write_table
from services.simulator.behaviour.outputs import write_history, write_labels
from services.simulator.behaviour.summary import as_text as as_summary
from services.simulator.behaviour.summary import check
from services.simulator.behaviour.webhooks import webhooks
from services.simulator.behaviour.year import Plan as WorldPlan
from services.simulator.behaviour.year import Year, play
from services.simulator.captured import read_folder
from services.simulator.injections import Delivery, Rates
from services.simulator.progress import Progress
from services.simulator.report import Answered, as_text, summarise
from services.simulator.run import Plan, Target, fresh_ids, post_all, replayed, simulated, target_of
from services.simulator.sender import Redelivery
from services.simulator.settings import SimulatorSettings, from_stack

_WRONG_ANSWERS, _MISUSE, _INTERRUPTED = 1, 2, 130
_DEFAULT_COUNT = 300


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(
        prog="python -m services.simulator", description="Posts realistic signed Stripe webhooks at a fixed rate."
    )
    root.add_argument("--count", type=int, help="how many to post (default 300; with --from: every file once)")
    root.add_argument("--seconds", type=float, help="how long to post, in place of --count")
    root.add_argument("--rate", type=float, default=20.0, help="webhooks a second (default 20)")
    root.add_argument("--seed", type=int, default=1, help="what happens follows from it (default 1)")
    root.add_argument("--run-id", help="makes the ids of a run its own (default: random); repeat it to repeat a run")
    root.add_argument("--from", dest="folder", type=Path, help="post the captured bodies of this folder instead")
    root.add_argument("--fresh-ids", action="store_true", help="with --from: give each captured event a new id")
    for name, what in (
        ("duplicates", "events delivered twice"),
        ("reordered", "events overtaken by the next one of the same payment"),
        ("bad-signatures", "forged deliveries"),
        ("malformed", "broken and off-contract bodies"),
        ("odd", "bodies that look odd and are valid"),
    ):
        root.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE", help=f"share of {what}, 0 to 1")
    _add_world(root)
    root.add_argument("--retry", action="store_true", help="deliver again what is not acknowledged, as Stripe does")
    root.add_argument("--retry-seconds", type=float, default=120.0, help="give up on a delivery after (default 120)")
    root.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for an answer (default 10)")
    root.add_argument("--url", help="full URL to post to (default: the gateway of the running stack)")
    root.add_argument("--secret", help="signing secret (default: that of the running stack)")
    root.add_argument("--report", type=Path, help="write every delivery and its answer to this JSON file")
    return root


def _add_world(root: argparse.ArgumentParser) -> None:
    group = root.add_argument_group("a world to learn from (docs/world.md)")
    group.add_argument("--world", action="store_true", help="post the behavioural world in place of the endless stream")
    group.add_argument(
        "--history", type=Path, metavar="FOLDER", help="write it as Parquet, with its truth; post nothing"
    )
    group.add_argument("--labels", type=Path, metavar="FOLDER", help="with --world: write the truth of what is posted")
    group.add_argument("--customers", type=int, default=1000, help="how many customers it has (default 1000)")
    group.add_argument("--days", type=int, default=365, help="how long it is (default 365)")
    group.add_argument("--first-day", type=date.fromisoformat, help="its first day (default: so that it ends today)")
    group.add_argument("--speed", type=float, help="post it so many times faster than it happened, in place of --rate")


def main(arguments: Sequence[str]) -> int:
    """Post, report, and tell by the exit code whether every answer was as expected."""
    options = parser().parse_args(arguments)
    clock = SystemClock()
    try:
        if options.history is not None:
            return _write_history(options, clock)
        plan = _plan(options)
        target = _target(options)
        total, deliveries = _deliveries(options, plan, clock)
        progress = Progress(sys.stderr, total, clock.monotonic)
        answers = asyncio.run(_post(deliveries, plan, target, clock, progress))
    except (ValueError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return _MISUSE
    except KeyboardInterrupt:
        return _INTERRUPTED
    progress.finish()
    return _tell(options, plan, answers)


def _plan(options: argparse.Namespace) -> Plan:
    rates = Rates(options.duplicates, options.reordered, options.bad_signatures, options.malformed, options.odd)
    return Plan(options.seed, options.run_id or SystemIds().new(), options.rate, rates, options.speed)


def _write_history(options: argparse.Namespace, clock: Clock) -> int:
    year = _play(options, clock)
    rows = write_history(year, options.history, write_table)
    sys.stdout.write(as_summary(year, check(year)) + "\n\n")
    sys.stdout.writelines(f"  {count:>9,} rows in {options.history / name}\n" for name, count in rows.items())
    return 0


def _play(options: argparse.Namespace, clock: Clock) -> Year:
    if options.customers < 1 or options.days < 1:
        raise ValueError("a world has at least one customer and one day")
    first_day = options.first_day or clock.now().date() - timedelta(days=options.days)
    return play(WorldPlan(options.seed, options.customers, first_day, options.days))


def _target(options: argparse.Namespace) -> Target:
    settings = from_stack(SimulatorSettings)
    redelivery = Redelivery(options.retry_seconds) if options.retry else None
    return target_of(
        options.url or settings.webhook_url, options.secret or settings.signing_secret, options.timeout, redelivery
    )


def _deliveries(options: argparse.Namespace, plan: Plan, clock: Clock) -> tuple[int, Iterator[Delivery]]:
    count = options.count or (int(options.seconds * options.rate) if options.seconds else None)
    if options.world:
        year = _play(options, clock)
        if options.labels is not None:
            write_labels(year, options.labels, write_table)
        total = min(count or len(year.told), len(year.told))
        return total, islice(replayed(plan, webhooks(year.told)), total)
    if options.folder is None:
        total = count or _DEFAULT_COUNT
        return total, islice(simulated(plan, clock.now()), total)
    events = list(read_folder(options.folder, fresh_ids(plan.run_id) if options.fresh_ids else None))
    return count or len(events), islice(replayed(plan, events), count)


async def _post(
    deliveries: Iterator[Delivery], plan: Plan, target: Target, clock: Clock, progress: Progress
) -> list[Answered]:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        # What is on its way still gets its answer and its place in the report; a second Ctrl-C ends that too.
        stopping.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, stop)
    until_stopped = takewhile(lambda _: not stopping.is_set(), deliveries)
    return await post_all(until_stopped, plan, target, clock, progress.add)


def _tell(options: argparse.Namespace, plan: Plan, answers: Sequence[Answered]) -> int:
    summary = summarise(answers)
    sys.stdout.write(f"Seed {plan.seed}, run {plan.run_id}\n{as_text(summary, answers)}\n")
    if options.report is not None:
        content = {
            "seed": plan.seed,
            "run_id": plan.run_id,
            "per_second": plan.per_second,
            "summary": summary.as_json(),
            "deliveries": [answer.as_json() for answer in answers],
        }
        options.report.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
        sys.stdout.write(f"Every delivery is in {options.report}\n")
    if answers and all(answer.status is None for answer in answers):
        sys.stdout.write("Nothing answered at all: is the gateway up? `make status` tells.\n")
    return _WRONG_ANSWERS if summary.unexpected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
