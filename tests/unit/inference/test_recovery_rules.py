import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_RETRY,
    RecommendPlanResponse,
    RecoveryStepKind,
)
from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_RETRY

from services.runtime import contract
from tests.unit.inference.contexts import AT, DAY, OCCURRED, declined, handler
from tests.unit.inference.strategies import payments, retryable_payments
from tests.unit.inference.test_guard import over_budget

HANDLER = handler()


def plan(asked: PaymentContext) -> RecommendPlanResponse:
    return HANDLER.plan([asked], AT)[0]


def steps(answer: RecommendPlanResponse) -> list[tuple[str, int]]:
    """Kind and days after the failure of each step."""
    return [
        (
            RecoveryStepKind.Name(step.kind).removeprefix("RECOVERY_STEP_KIND_").lower(),
            (step.not_before.seconds - OCCURRED) // DAY,
        )
        for step in answer.steps
    ]


def retries(answer: RecommendPlanResponse) -> list[int]:
    return [step.not_before.seconds for step in answer.steps if step.kind == RECOVERY_STEP_KIND_RETRY]


def test_missing_funds_are_tried_for_again_and_then_another_card_is_asked_for() -> None:
    assert steps(plan(declined())) == [
        ("notify", 0),
        ("retry", 2),
        ("retry", 5),
        ("retry", 8),
        ("retry", 12),
        ("request_payment_method", 13),
    ]


def test_a_subscription_is_paused_when_nothing_helped() -> None:
    assert steps(plan(declined("lost_card", recurring=True))) == [
        ("request_payment_method", 0),
        ("notify", 3),
        ("pause", 14),
    ]


def test_a_transient_failure_is_not_told_to_the_customer_at_once() -> None:
    assert steps(plan(declined("issuer_not_available")))[0] == ("retry", 0)


@pytest.mark.parametrize("code", ["fraudulent", "testmode_decline"])
def test_what_the_customer_cannot_mend_goes_to_a_person(code: str) -> None:
    assert [kind for kind, _ in steps(plan(declined(code)))] == ["hand_over"]


def test_a_customer_who_must_authenticate_is_brought_back() -> None:
    kinds = [kind for kind, _ in steps(plan(declined("authentication_required")))]
    assert kinds == ["request_authentication", "notify", "request_payment_method"]


def test_retries_that_the_network_delays_are_delayed_in_the_plan_too() -> None:
    answer = plan(declined("issuer_not_available", card_brand="mastercard", network_advice_code="30"))
    assert [moment >= OCCURRED + 10 * DAY for moment in retries(answer)] == [True] * len(retries(answer))
    assert retries(answer) != []


def test_a_nearly_spent_budget_shortens_the_plan() -> None:
    twelve = [OCCURRED - 20 * DAY + number for number in range(12)]
    full = len(retries(plan(declined())))
    # Two more fit into Visa's window; the rest wait until the first twelve have left it.
    moments = retries(plan(declined(previous=twelve)))
    assert [moment - OCCURRED < 10 * DAY for moment in moments].count(True) == 2
    assert len(moments) <= full


def test_no_amount_is_promised() -> None:
    assert not plan(declined()).HasField("expected_recovered_cents")


def test_a_plan_is_made_once_for_all_payments_in_one_situation_and_told_in_the_time_of_each() -> None:
    fresh = handler()
    later = OCCURRED + 17 * DAY
    first, second, again = fresh.plan([declined(), declined(occurred=later), declined()], AT)
    assert fresh._predictors.recovery._plan_in.cache_info().misses == 1  # type: ignore[attr-defined]  # the rules' own
    assert [moment - later for moment in retries(second)] == [moment - OCCURRED for moment in retries(first)]
    assert again == first


@given(asked=st.one_of(payments(), retryable_payments()))
def test_every_plan_keeps_the_contract_and_agrees_with_the_retry_answer(asked: PaymentContext) -> None:
    answer, strategy = plan(asked), HANDLER.recommend([asked], AT)[0]
    assert contract.broken_rules(answer) == ()
    assert answer.provenance.fallback
    moments = retries(answer)
    assert (strategy.action == RETRY_ACTION_RETRY) == (moments != [])
    if moments:
        assert moments[0] == strategy.retry_at.seconds
    judged = HANDLER._reader.read(asked)
    for number in range(len(moments)):
        assert over_budget(judged, moments[: number + 1]) == []
