"""The judge of recovery plans counts what the truth says: tries, customers who bring a card, and nothing else."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_HAND_OVER,
    RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD,
    RECOVERY_STEP_KIND_RETRY,
    RecommendPlanResponse,
    RecoveryStepKind,
)

from bench.recovery_plans import Planner, Play, played
from bench.retry_schedules import Standing
from bench.retry_truth import Failed, World
from services.simulator.adapters.parquet import read_curves, write_table
from services.simulator.behaviour.curves import Curve, recovery
from services.simulator.behaviour.judging import LADDER_HOURS, by_retries_alone, ladder
from services.simulator.behaviour.outputs import write_history
from services.simulator.behaviour.year import Plan, play

HOUR_S = 3600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plans")
    write_history(play(Plan(6, 300, date(2025, 1, 1), 120)), made, write_table)
    return made


@pytest.fixture(scope="module")
def world(folder: Path) -> World:
    return World.of(folder)


@pytest.fixture(scope="module")
def truths(folder: Path) -> dict[str, Curve]:
    return dict(read_curves(folder / "labels/curves.parquet"))


def plan(*steps: tuple["RecoveryStepKind", int]) -> RecommendPlanResponse:
    made = RecommendPlanResponse()
    for kind, at_s in steps:
        made.steps.add(kind=kind, not_before=Timestamp(seconds=at_s))
    return made


def asks(standing: Standing) -> RecommendPlanResponse:
    return plan((RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD, standing.first_s))


def climbs(standing: Standing) -> RecommendPlanResponse:
    left = LADDER_HOURS[standing.retries :]
    return plan(*((RECOVERY_STEP_KIND_RETRY, standing.first_s + hours * HOUR_S) for hours in left))


def all_played(
    world: World, truth_of: Callable[[Failed], Curve], plan_of: Planner, by_hand: Planner = asks
) -> list[tuple[Curve, Play]]:
    return [
        (truth_of(payment), played(world, payment, truth_of(payment), plan_of, by_hand)) for payment in world.failed
    ]


def test_where_customers_do_nothing_a_ladder_is_worth_what_the_curve_says(world: World) -> None:
    for truth, found in all_played(world, lambda payment: by_retries_alone(payment.curve), climbs):
        assert found.recovered == pytest.approx(recovery(truth, ladder(truth)))
        assert found.asked == 0


def test_whoever_is_asked_pays_when_the_world_says_so(world: World, truths: dict[str, Curve]) -> None:
    plays = all_played(world, lambda payment: truths[payment.payment_id], asks)
    assert any(found.recovered for _, found in plays)
    for truth, found in plays:
        assert found.asked == 1
        assert found.attempts == 0
        assert (found.recovered > 0) == (truth.new_card_asked_at is not None)


def test_where_nothing_is_done_only_those_pay_who_come_by_themselves(world: World, truths: dict[str, Curve]) -> None:
    for truth, found in all_played(world, lambda payment: truths[payment.payment_id], lambda _: plan()):
        assert (found.recovered > 0) == (truth.new_card_unasked_at is not None)


def test_what_is_handed_over_costs_a_look_and_goes_on_by_hand(world: World, truths: dict[str, Curve]) -> None:
    def hands_over(standing: Standing) -> RecommendPlanResponse:
        return plan((RECOVERY_STEP_KIND_HAND_OVER, standing.first_s))

    for _, found in all_played(world, lambda payment: truths[payment.payment_id], hands_over, asks):
        assert (found.looked, found.asked) == (1, 1)
