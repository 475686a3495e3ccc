"""Judges recovery plans in worlds, by their truth: what they recover, less what they cost, against the rules' plans.

`python -m bench.recovery_plans MODEL WORLD…` prints the table. Plans are those of the handler that serves, with its
guard; each failure is planned for anew. What customers do when they are asked for another card, or not, is known.
What a person does is not: whoever is handed a payment follows the best course, and costs what a look costs. Fraud does
not happen among a subscription's payments, and who leaves is not judged: plans are told the same small probability of
both for everybody.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.churn_service_pb2 import CHURN_RISK_LOW, PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import FRAUD_DECISION_ALLOW, ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_UNSPECIFIED, Provenance
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_HAND_OVER,
    RECOVERY_STEP_KIND_NOTIFY,
    RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION,
    RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD,
    RECOVERY_STEP_KIND_RETRY,
    RecommendPlanResponse,
)

from bench.retry_schedules import Standing
from bench.retry_truth import Failed, World
from mlops.features.catalog import Entity
from mlops.features.facts import microseconds
from mlops.features.online import ViewVector
from mlops.features.payment import event_features
from mlops.features.transform import features
from mlops.registry.retry.inputs import Floats
from mlops.training.retry.report import Sums, interval
from services.inference.adapters.lightgbm_model import LightGbmModel
from services.inference.case import Case, CaseReader
from services.inference.features import Features
from services.inference.guard import NetworkGuard
from services.inference.handler import Handler, Predictors
from services.inference.ports import RecoveryPredictor, RetryPredictor
from services.inference.predictors.models.recovery import RecoveryByValue
from services.inference.predictors.models.retry import RetryModel, ServedRetry
from services.inference.predictors.rules.recovery import RecoveryRules
from services.inference.predictors.rules.retry import RetryRules
from services.inference.recovery_values import RecoveryValues, read_recovery_values
from services.inference.tables import read_rule_tables
from services.simulator.adapters.parquet import read_curves
from services.simulator.behaviour.curves import Curve

_DAY_S: Final = 86_400
_MOST_ROUNDS: Final = 12
_FRAUD: Final = 0.002
_CHURN: Final = 0.05
_ASKS: Final = (RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD, RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION)
_BY_A_MODEL: Final = Provenance(
    model_name="calm", model_version="1", model_alias="champion", fallback_cause=FALLBACK_CAUSE_UNSPECIFIED
)


class Calm:
    """Fraud and churn of subscribers in this world, as good as unknown."""

    def score(self, cases: Sequence[Case], at: Timestamp) -> list[ScoreResponse]:
        """The same for all."""
        answer = ScoreResponse(fraud_probability=_FRAUD, decision=FRAUD_DECISION_ALLOW, provenance=_BY_A_MODEL)
        return [answer] * len(cases)

    def predict(self, cases: Sequence[Case], horizons_days: Sequence[int], at: Timestamp) -> list[PredictResponse]:
        """The same for all."""
        answer = PredictResponse(churn_probability=_CHURN, risk=CHURN_RISK_LOW, provenance=_BY_A_MODEL)
        return [answer] * len(cases)


Planner = Callable[[Standing], RecommendPlanResponse]


def planner(reader: CaseReader, retry: RetryPredictor, recovery: RecoveryPredictor) -> Planner:
    """Plans as they are served."""
    calm = Calm()
    handler = Handler(reader, NetworkGuard(), Predictors(calm, retry, calm, recovery))

    def plan(standing: Standing) -> RecommendPlanResponse:
        payment = standing.context()
        return handler.plan([payment], payment.occurred_at, [_features(standing)])[0]

    return plan


def _features(standing: Standing) -> Features:
    declined = standing.declined
    at_us = microseconds(declined.event.provider_created_at)
    vectors = {entity: ViewVector(features(state, at_us), 0, stale=False) for entity, state in declined.states.items()}
    return Features({entity: vectors.get(entity, _NOTHING) for entity in Entity}, FALLBACK_CAUSE_UNSPECIFIED)


_NOTHING: Final = ViewVector({}, None, stale=False)


@dataclass(frozen=True, slots=True)
class Costs:
    """In US dollars, but for the share of the amount that a day costs."""

    attempt: float
    message: float
    look: float
    delay: float

    @classmethod
    def of(cls, values: RecoveryValues) -> "Costs":
        """Those that plans are weighed by."""
        return cls(
            attempt=values.attempt_usd_cents.value / 100,
            message=values.message_usd_cents.value / 100,
            look=values.look_usd_cents.value / 100,
            delay=values.delay_share_a_day.value,
        )


@dataclass(slots=True)
class Play:
    """One payment under plans, its chances counted whole: how much of it is still open, and what came of the rest."""

    truth: Curve
    open: float = 1.0
    recovered: float = 0.0
    days: float = 0.0
    attempts: float = 0.0
    asked: float = 0.0
    messages: float = 0.0
    looked: float = 0.0
    asked_s: int | None = None
    # What the first plan expected, as a share of the amount.
    said: float = 0.0

    def pay(self, at_s: int, chance: float) -> None:
        """Somebody or something tries to pay."""
        self.recovered += self.open * chance
        self.days += self.open * chance * (at_s - self.truth.opened_at) / _DAY_S
        self.open *= 1 - chance

    def ask(self, at_s: int) -> None:
        """Ask the customer; asking twice changes nothing."""
        if self.asked_s is None:
            self.asked_s = at_s
            self.asked += self.open
            self.messages += self.open

    def card_s(self) -> int | None:
        """When the customer brings another card, as asked so far."""
        truth = self.truth
        comes = [] if truth.new_card_unasked_at is None else [truth.new_card_unasked_at]
        if self.asked_s is not None and truth.new_card_asked_at is not None:
            comes.append(self.asked_s + truth.new_card_asked_at - truth.opened_at)
        return min(comes, default=None)

    def with_new_card(self, at_s: int) -> float:
        """The chance of the new card, which has no declines behind it."""
        return replace(self.truth, asked=False, new_card_unasked_at=at_s).success_probability(at_s)


def played(world: World, payment: Failed, truth: Curve, plan_of: Planner, by_hand: Planner) -> Play:
    """Follow plans until the payment is settled or given up. `by_hand`: what a person does with it."""
    play, standing = Play(truth), Standing(payment, payment.declined, 0)
    declined = [truth.opened_at]
    for number in range(_MOST_ROUNDS):
        plan = plan_of(standing)
        if any(step.kind == RECOVERY_STEP_KIND_HAND_OVER for step in plan.steps):
            play.looked += play.open
            plan = by_hand(standing)
        if number == 0:
            play.said = plan.expected_recovered_cents / max(1, payment.declined.event.amount_cents)
        retry_s = min(
            (step.not_before.seconds for step in plan.steps if step.kind == RECOVERY_STEP_KIND_RETRY), default=None
        )
        for step in plan.steps:
            soon = retry_s is None or step.not_before.seconds < retry_s
            if soon and step.kind in _ASKS:
                play.ask(step.not_before.seconds)
            if soon and step.kind == RECOVERY_STEP_KIND_NOTIFY:
                play.messages += play.open
        card_s = play.card_s()
        if card_s is not None and (retry_s is None or card_s <= retry_s):
            play.pay(card_s, play.with_new_card(card_s))
            break
        if retry_s is None or play.open < 1e-6:
            break
        play.attempts += play.open
        play.pay(retry_s, payment.curve.success_probability(retry_s, declined))
        standing = standing.after(world.declined(payment, retry_s, declined, 0))
        declined.append(retry_s)
    return play


# Columns of a payment's row.
_USD, _MONEY, _RECOVERED, _ATTEMPTS, _ASKED, _LOOKED, _DAYS, _COSTS, _SAID, _ONE = range(10)


def rows(world: World, truths: Mapping[str, Curve], plan_of: Planner, by_hand: Planner, costs: Costs) -> Floats:
    """What plans make of each payment."""
    made = []
    for payment in world.failed:
        play = played(world, payment, truths[payment.payment_id], plan_of, by_hand)
        usd = event_features(payment.declined.event)["amount_usd"] or 0.0
        cost = play.attempts * costs.attempt + play.messages * costs.message + play.looked * costs.look
        cost += costs.delay * usd * play.days
        shares = (play.recovered, play.attempts, play.asked, play.looked, play.days)
        made.append((usd, usd * play.recovered, *shares, cost, usd * play.said, 1.0))
    return np.array(made)


def by_customer(world: World, made: Floats) -> Floats:
    """Sums of each customer's payments: those stand or fall together."""
    numbers: dict[str, int] = {}
    place = np.array([numbers.setdefault(each.declined.event.customer_id, len(numbers)) for each in world.failed])
    return np.column_stack([np.bincount(place, column) for column in made.T])


def _net(sums: Floats) -> Floats:
    return np.asarray((sums[..., _MONEY] - sums[..., _COSTS]) / sums[..., _USD])


def _money(sums: Floats) -> Floats:
    return np.asarray(sums[..., _MONEY] / sums[..., _USD])


def table(judged: Mapping[str, Sums], base: str) -> Iterator[str]:
    """A line for each planner, and by how much it is above the base."""
    heads = ("tries", "asked", "looked", "days", "expected")
    yield f"{'':30} {'net of costs, %':>20} {'recovered, %':>20} " + " ".join(f"{head:>8}" for head in heads)
    for name, sums in judged.items():
        total = sums.rows.sum(axis=0)
        share = total / total[_ONE]
        yield (
            f"{name:30} {_percent(_net, sums):>20} {_percent(_money, sums):>20} {share[_ATTEMPTS]:>8.2f} "
            f"{share[_ASKED]:>8.1%} {share[_LOOKED]:>8.2%} {total[_DAYS] / total[_RECOVERED]:>8.2f} "
            f"{total[_SAID] / total[_USD]:>8.1%}"
        )
        if name != base:
            cells = (_percent(measure, sums, judged[base], "+") for measure in (_net, _money))
            yield f"{'  above ' + base:30} " + " ".join(f"{cell:>20}" for cell in cells)


def _percent(measure: Callable[[Floats], Floats], sums: Sums, other: Sums | None = None, sign: str = "") -> str:
    found = interval(measure, sums, other)
    return f"{found.value * 100:{sign}.1f} [{found.low * 100:{sign}.1f}, {found.high * 100:{sign}.1f}]"


def planners(model: Path, values: RecoveryValues) -> dict[str, tuple[Planner, Planner]]:
    """Those that are compared, each with what a person does who is handed a payment."""
    tables = read_rule_tables()
    reader = CaseReader(tables)
    ladder = RetryRules(reader.declines, tables.version)
    rules = RecoveryRules(reader.declines, tables.version)
    retry = RetryModel(ServedRetry(LightGbmModel(model, name="retry", version="1", alias="champion")), ladder)
    by_rules = planner(reader, ladder, rules)
    mixed = planner(reader, retry, rules)
    decided = planner(reader, retry, RecoveryByValue(_never_looking(values), rules))
    return {
        "rules": (by_rules, by_rules),
        "rules, retries by the model": (mixed, mixed),
        "by value": (planner(reader, retry, RecoveryByValue(values, rules)), decided),
    }


def main(arguments: Sequence[str]) -> int:
    """Judge, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery_plans", description=__doc__)
    parser.add_argument("model", type=Path, help="a retry model's folder")
    parser.add_argument("worlds", type=Path, nargs="+", help="histories of the simulator, with their labels")
    options = parser.parse_args(arguments)
    values = read_recovery_values()
    costs, compared = Costs.of(values), planners(options.model, values)
    parts: dict[str, list[Floats]] = {name: [] for name in compared}
    for folder in options.worlds:
        world, truths = World.of(folder), dict(read_curves(folder / "labels/curves.parquet"))
        for name, those in compared.items():
            parts[name].append(by_customer(world, rows(world, truths, *those, costs)))
    judged = {name: Sums(np.vstack(found)) for name, found in parts.items()}
    payments = judged["rules"].rows[:, _ONE].sum()
    lines = [f"{payments:,.0f} failed payments; 95 % by customers", "", *table(judged, "rules")]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _never_looking(values: RecoveryValues) -> RecoveryValues:
    """The same, where no look is worth it."""
    look = values.look_settles.model_copy(update={"value": 0.0})
    return values.model_copy(update={"look_settles": look})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
