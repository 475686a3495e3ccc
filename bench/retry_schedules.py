"""Judges a retry model in a world it has not seen, against fixed schedules: money, attempts, rules, by the truth.

`python -m bench.retry_schedules WORLD MODEL` prints the table; `--out` writes what each payment came to. Every answer
goes through the guard that serving has, with its tables: a model or a schedule may propose what it likes.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from bench.retry_truth import Failed, World
from mlops.features.facts import payment_fact
from mlops.features.payment import event_features
from mlops.features.transform import apply
from mlops.registry.artifact import TrainedModel
from mlops.registry.retry.policy import Policy, Rules
from mlops.training.retry.decisions import Declined
from mlops.training.retry.recipe import policy_of
from services.inference.case import Case, CaseReader
from services.inference.guard import Attempts, earliest_retry
from services.inference.tables import read_rule_tables
from services.simulator.behaviour.judging import EIGHT_HOURS, LADDER_HOURS, best_hours
from services.simulator.behaviour.logging_policy import Failure, may_try_again
from workflows.payment_event.questions import payment_context

_HOUR_S = 3600
_MOST_RETRIES = 8
_DEAR_USD = 3.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A payment that has just been declined, as a policy may know it."""

    payment: Failed
    declined: Declined
    retries: int

    @property
    def first_s(self) -> int:
        """When the payment was first tried."""
        return self.payment.curve.opened_at

    def context(self) -> PaymentContext:
        """What serving is told."""
        context = payment_context(self.declined.event)
        for at in self.declined.attempts_s[:-1]:
            context.previous_attempts.add(seconds=at)
        return context

    def after(self, event: UnifiedPaymentEvent) -> "Standing":
        """The same after another decline."""
        fact = payment_fact(event)
        states = {entity: apply(state, fact) for entity, state in self.declined.states.items()}
        attempts = (*self.declined.attempts_s, event.provider_created_at.seconds)
        return Standing(self.payment, Declined(event, states, attempts), self.retries + 1)


Chooser = Callable[[Standing, Rules], int | None]
"""Says when to try again, or not to."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy makes of one payment, on average over chance."""

    payment_id: str
    merchant_id: str
    customer_id: str
    usd: float
    recovered: float
    attempts: float
    delay_days: float
    """Mean days until the money, times `recovered`."""
    violations: float
    """Attempts that break a rule; 0 only where none could."""


def by_hours(hours: Sequence[int]) -> Chooser:
    """A fixed schedule, from the first attempt on; what a rule forbids is moved to the first moment it allows."""
    return lambda standing, rules: _next([standing.first_s + hour * _HOUR_S for hour in hours], standing, rules)


def with_the_truth(standing: Standing, rules: Rules) -> int | None:
    """The best hours, of the curve itself."""
    return _next(best_hours(standing.payment.curve), standing, rules)


def _next(schedule: Sequence[int], standing: Standing, rules: Rules) -> int | None:
    left = schedule[standing.retries :]
    return max(left[0], rules.earliest_s) if left else None


def by_model(model: TrainedModel, policy: Policy) -> Chooser:
    """The trained policy."""

    def choose(standing: Standing, rules: Rules) -> int | None:
        proposal = policy.propose(model, standing.declined.situation(), rules)
        return None if proposal is None else proposal.at_s

    return choose


@dataclass(frozen=True, slots=True)
class Judge:
    """Plays policies on failed payments, under rules or, to see what these forbid, without."""

    world: World
    reader: CaseReader
    longest_wait_s: int
    draws: int

    def outcome(self, payment: Failed, choose: Chooser, *, held: bool) -> Outcome:
        """The mean of some plays, in each of which every failure's code is drawn and every chance counted whole."""
        plays = [self._play(payment, choose, draw, held=held) for draw in range(self.draws)]
        usd = event_features(payment.declined.event)["amount_usd"] or 0.0
        event = payment.declined.event
        recovered, attempts, delay, broken = (sum(play[part] for play in plays) / self.draws for part in range(4))
        whose = (payment.payment_id, event.merchant_id, event.customer_id)
        return Outcome(*whose, usd, recovered, attempts, delay, broken)

    def _play(self, payment: Failed, choose: Chooser, draw: int, *, held: bool) -> tuple[float, float, float, float]:
        standing = Standing(payment, payment.declined, 0)
        open_, attempts, delay, violations = 1.0, 0.0, 0.0, 0.0
        declined = [payment.curve.opened_at]
        while standing.retries < _MOST_RETRIES:
            case = self.reader.read(standing.context())
            rules = self.rules(case, standing, held=held)
            at_s = None if rules.prohibited else choose(standing, rules)
            if at_s is None or at_s > rules.latest_s:
                break
            violations += open_ * _breaks(case, standing.declined.event, at_s)
            chance = payment.curve.success_probability(at_s, declined)
            attempts += open_
            delay += open_ * chance * (at_s - declined[0]) / 86_400
            open_ *= 1 - chance
            standing = standing.after(self.world.declined(payment, at_s, declined, draw))
            declined.append(at_s)
        return 1 - open_, attempts, delay, violations

    def rules(self, case: Case, standing: Standing, *, held: bool) -> Rules:
        """What the guard allows; without it, anything within two weeks."""
        latest = standing.first_s + self.longest_wait_s
        left = _MOST_RETRIES - standing.retries
        if not held:
            return Rules(standing.declined.attempts_s[-1] + 1, latest, prohibited=False, attempts_left=left)
        earliest = earliest_retry(case, Attempts.of(case)).earliest_s
        return Rules(earliest, latest, prohibited=case.prohibition is not None, attempts_left=left)


def _breaks(case: Case, event: UnifiedPaymentEvent, at_s: int) -> int:
    """1 where an attempt breaks a rule, of the guard's or of the simulator's own reading of the networks."""
    seen = Failure(
        event.card_brand, event.failure_code, event.provider_advice_code or None, event.network_decline_code or None,
        event.network_advice_code or None, 1, 0.0,
    )  # fmt: skip
    early = at_s < earliest_retry(case, Attempts.of(case)).earliest_s
    return int(case.prohibition is not None or early or not may_try_again(seen))


def judged(world: World, choosers: Mapping[str, tuple[Chooser, bool]], draws: int) -> dict[str, list[Outcome]]:
    """By the name of each policy, what it makes of each failed payment."""
    tables = read_rule_tables()
    judge = Judge(world, CaseReader(tables), tables.networks.longest_wait_hours * _HOUR_S, draws)
    return {
        name: [judge.outcome(payment, choose, held=held) for payment in world.failed]
        for name, (choose, held) in choosers.items()
    }


def choosers(model: TrainedModel, policies: Mapping[str, Policy]) -> dict[str, tuple[Chooser, bool]]:
    """The policies that are compared."""
    return {
        "ladder, whatever the rules": (by_hours(LADDER_HOURS), False),
        "eight in two weeks, whatever the rules": (by_hours(EIGHT_HOURS), False),
        "ladder": (by_hours(LADDER_HOURS), True),
        "eight in two weeks": (by_hours(EIGHT_HOURS), True),
        **{name: (by_model(model, policy), True) for name, policy in policies.items()},
    }


def main(arguments: Sequence[str]) -> int:
    """Judge and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.retry_schedules", description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, help="a JSON file for the outcomes")
    parser.add_argument("--draws", type=int, default=1, help="plays of each payment (default 1)")
    parser.add_argument(
        "--truth", action="store_true", help="with the best hours, chosen with the truth in hand (slow)"
    )
    options = parser.parse_args(arguments)
    model = TrainedModel.load(options.model)
    policy = policy_of(model)
    thrifty = replace(policy, terms=replace(policy.terms, attempt_usd=_DEAR_USD))
    compared = choosers(model, {"model": policy, f"model, an attempt at {_DEAR_USD:.0f} USD": thrifty})
    if options.truth:
        compared["best hours, knowing the truth"] = (with_the_truth, True)
    outcomes = judged(World.of(options.world), compared, options.draws)
    content = json.dumps({name: [asdict(one) for one in those] for name, those in outcomes.items()})
    if options.out is None:
        sys.stdout.write(content + "\n")
    else:
        options.out.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
