"""Sends a few hundred webhooks through a running platform and shows what became of every one."""

import asyncio
import shutil
import sys
from itertools import islice

from pydantic import ValidationError

from services.runtime.clock import Clock, SystemClock, SystemIds
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.settings import KafkaSettings, RegistrySettings
from services.simulator.balance import event_key
from services.simulator.injections import Rates
from services.simulator.onlooker import Onlooker, Outcome
from services.simulator.progress import Progress
from services.simulator.report import Answered, as_text, percentiles, summarise
from services.simulator.run import Plan, post_all, simulated, target_of
from services.simulator.settings import DemoSettings, from_stack, stack_env_file
from services.simulator.summary import addresses_text, answers_text, balance_text, decisions_text, latency_text

_COUNT = 360
_PER_SECOND = 40.0
_RATES = Rates(duplicates=0.05, reordered=0.08, bad_signatures=0.04, malformed=0.08, odd=0.05)
# Of the first 300 the one whose events show the most kinds of declines, life cycles and faults.
_SEED = 271
# Workflows that retry through an outage take this long at the most.
_WAIT_SECONDS = 120.0
_MOST_DIFFERENCES = 10

_OUT_OF_BALANCE, _NO_PLATFORM, _INTERRUPTED = 1, 2, 130


def main() -> int:
    """Send, wait, tell; 1 when something is out of balance, 2 when there is no platform to send to."""
    try:
        settings = from_stack(DemoSettings)
        return _run(settings, SystemClock())
    except (ValidationError, ValueError):
        sys.stderr.write("No running platform is known. `make up` starts one and writes its addresses.\n")
        return _NO_PLATFORM
    except (NeighbourUnavailableError, DeployStepMissingError) as error:
        sys.stderr.write(f"{error}\n`make status` shows what runs; `make up` starts what does not.\n")
        return _NO_PLATFORM
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(settings: DemoSettings, clock: Clock) -> int:
    target = target_of(settings.webhook_url, settings.signing_secret)
    onlooker = Onlooker.connect(from_stack(KafkaSettings), from_stack(RegistrySettings), str(settings.database_url))
    try:
        plan = Plan(_SEED, SystemIds().new(), _PER_SECOND, _RATES)
        _say(f"Sending {_COUNT} Stripe webhooks to {target.url}, {_PER_SECOND:.0f} a second")
        progress = Progress(sys.stderr, _COUNT, clock.monotonic)
        answers = asyncio.run(post_all(islice(simulated(plan, clock.now()), _COUNT), plan, target, clock, progress.add))
        progress.finish()
        outcome = onlooker.wait(answers, _WAIT_SECONDS, _Waiting())
    finally:
        onlooker.close()
    return _tell(settings, answers, outcome)


class _Waiting:
    """Says how many decisions are stored whenever that changes."""

    def __init__(self) -> None:
        self._last = -1

    def __call__(self, done: int, total: int) -> None:
        if done == self._last:
            return
        self._last = done
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{done}/{total} decisions are stored" + ("\r\x1b[K" if done == total else ""))
            sys.stderr.flush()


def _tell(settings: DemoSettings, answers: list[Answered], outcome: Outcome) -> int:
    decisions = outcome.decisions()
    _say("\nAnswers\n")
    _say(as_text(summarise(answers), answers))
    _say("\nBalance, stage by stage\n")
    _say(balance_text(outcome.books.lines()))
    _say("\nFrom webhook to decision\n")
    _say(latency_text(_latencies(answers, outcome)))
    _say("\nWho answered\n")
    _say(answers_text(decision for decision, _ in decisions.values()))
    _say("\nSome decisions\n")
    width = shutil.get_terminal_size((120, 24)).columns
    _say(decisions_text((decision for decision, _ in decisions.values()), width))
    _say("\nWhere to look\n")
    _say(addresses_text(settings, stack_env_file()))
    if outcome.balanced and all(answer.as_expected for answer in answers):
        _say(f"\nIn balance: all {len(answers)} webhooks became what they should, {len(decisions)} of them decisions.")
        return 0
    differences = outcome.books.differences()
    _say(f"\nOUT OF BALANCE. {len(differences)} deliveries did not become what they should:")
    _say("\n".join(f"  {told}" for told in differences[:_MOST_DIFFERENCES]))
    _say("`make logs` and `make status` tell more; each line of a log holds the event_id.")
    return _OUT_OF_BALANCE


def _latencies(answers: list[Answered], outcome: Outcome) -> dict[str, dict[str, float]]:
    decisions = outcome.decisions()
    due = {event_key(answer): answer.due_at for answer in reversed(answers) if answer.acknowledged}
    stored = [at - due[event_id] for event_id, at in outcome.stored_at.items() if event_id in due]
    published = [at - due[event_id] for event_id, (_, at) in decisions.items() if event_id in due]
    return {
        "acknowledged": percentiles([answer.latency_ms for answer in answers if answer.acknowledged]),
        "decision stored in PostgreSQL": percentiles([seconds * 1000 for seconds in stored]),
        "published on payments.decisions": percentiles([seconds * 1000 for seconds in published]),
    }


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
