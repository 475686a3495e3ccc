"""The guard keeps the networks' rules whatever a predictor says: its promise is tested with predictors that lie."""

from collections.abc import Sequence

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from tidegate.inference.v1.payment_context_pb2 import PaymentContext, Reason
from tidegate.inference.v1.recovery_service_pb2 import RECOVERY_STEP_KIND_RETRY, RecommendPlanResponse
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_AUTHENTICATE,
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RecommendStrategyResponse,
)
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_CARD_DATA, DECLINE_CLASS_GENERIC

from services.inference.case import Case, seconds_up
from services.inference.guard import NetworkGuard
from services.inference.rules import BudgetRule
from services.runtime import contract
from tests.unit.inference.contexts import AT, DAY, HOUR, OCCURRED, case, declined
from tests.unit.inference.strategies import payments, plans, retryable_payments, strategies

GUARD = NetworkGuard()


def retry_at(moment: int, **changes: object) -> RecommendStrategyResponse:
    """A predictor's wish to retry then."""
    answer = RecommendStrategyResponse(
        action=RETRY_ACTION_RETRY, retry_at=Timestamp(seconds=moment), decline_class=DECLINE_CLASS_GENERIC
    )
    answer.reasons.append(Reason(code="model.says", description="it will work"))
    answer.provenance.model_name = answer.provenance.model_version = "m"
    answer.provenance.predicted_at.CopyFrom(AT)
    for name, value in changes.items():
        setattr(answer, name, value)
    return answer


def guarded(payment: PaymentContext, wish: RecommendStrategyResponse) -> RecommendStrategyResponse:
    GUARD.enforce(wish, case(payment))
    return wish


def counted(judged: Case, budget: BudgetRule, retries: Sequence[int] = ()) -> list[int]:
    """The attempts that a budget counts, straight from the question."""
    asked = judged.payment
    moments = [*asked.previous_attempts, asked.occurred_at]
    if budget.any_amount:
        moments += asked.previous_attempts_other_amounts
    return [*map(seconds_up, moments), *retries]


def over_budget(judged: Case, retries: Sequence[int]) -> list[str]:
    """Budgets that the last of these retries breaks: counted anew, window by window, not by the guard's formula."""
    last = retries[-1]
    return [
        budget.name
        for budget in judged.network.budgets
        for start in counted(judged, budget, retries)
        if start >= last - budget.window_s
        and sum(start <= each <= start + budget.window_s for each in counted(judged, budget, retries)) > budget.attempts
    ]


@given(payment=st.one_of(payments(), retryable_payments()), wish=strategies())
def test_whatever_a_predictor_says_a_retry_keeps_every_rule(
    payment: PaymentContext, wish: RecommendStrategyResponse
) -> None:
    judged = case(payment)
    GUARD.enforce(wish, judged)
    assert contract.broken_rules(wish) == ()
    if wish.action != RETRY_ACTION_RETRY:
        return
    moment = wish.retry_at.seconds
    assert judged.prohibition is None
    assert moment > OCCURRED
    assert moment > max(judged.card_attempts_s)
    if judged.wait is not None:
        assert moment >= OCCURRED + judged.wait.seconds
    assert over_budget(judged, [moment]) == []
    assert wish.attempts_left >= 1
    assert wish.attempts_left == min(
        budget.attempts - sum(moment - budget.window_s <= attempt for attempt in counted(judged, budget))
        for budget in judged.network.budgets
    )


@given(payment=st.one_of(payments(), retryable_payments()), plan=plans())
def test_whatever_a_predictor_plans_its_retries_keep_every_rule_together(
    payment: PaymentContext, plan: RecommendPlanResponse
) -> None:
    judged = case(payment)
    others = sum(step.kind != RECOVERY_STEP_KIND_RETRY for step in plan.steps)
    GUARD.enforce_plan(plan, judged)
    retries = [seconds_up(step.not_before) for step in plan.steps if step.kind == RECOVERY_STEP_KIND_RETRY]
    assert retries == [] or judged.prohibition is None
    latest = judged.card_attempts_s[-1]
    for number, moment in enumerate(retries):
        assert moment > latest
        latest = moment
        assert over_budget(judged, retries[: number + 1]) == []
    assert [step.not_before.ToNanoseconds() for step in plan.steps] == sorted(
        step.not_before.ToNanoseconds() for step in plan.steps
    )
    assert len(plan.steps) - len(retries) == others


@given(payment=st.one_of(payments(), retryable_payments()), wish=strategies())
def test_guarding_twice_changes_nothing(payment: PaymentContext, wish: RecommendStrategyResponse) -> None:
    judged = case(payment)
    GUARD.enforce(wish, judged)
    action, moment, left = wish.action, wish.retry_at.ToNanoseconds(), wish.attempts_left
    GUARD.enforce(wish, judged)
    assert (wish.action, wish.retry_at.ToNanoseconds(), wish.attempts_left) == (action, moment, left)


def test_a_retry_that_every_rule_allows_is_left_as_it_is() -> None:
    answer = guarded(declined(), retry_at(OCCURRED + DAY, success_probability=0.7))
    assert answer.retry_at.seconds == OCCURRED + DAY
    assert answer.success_probability == 0.7
    assert answer.network_rule == ""
    assert [reason.code for reason in answer.reasons] == ["model.says"]


def test_the_fifteenth_attempt_on_a_visa_card_is_allowed_and_the_sixteenth_waits() -> None:
    thirteen = [OCCURRED - 29 * DAY + hour * HOUR for hour in range(13)]
    assert guarded(declined(previous=thirteen), retry_at(OCCURRED + HOUR)).retry_at.seconds == OCCURRED + HOUR

    fourteen = [*thirteen, OCCURRED - HOUR]
    answer = guarded(declined(previous=fourteen), retry_at(OCCURRED + HOUR))
    # The failed one is the fifteenth: the next must wait until the first has left the window of 30 days.
    assert answer.retry_at.seconds == thirteen[0] + 30 * DAY + 1
    assert answer.network_rule == "visa.reattempts_30d"
    assert answer.attempts_left == 1


def test_the_tenth_attempt_of_a_day_on_a_mastercard_is_allowed_and_the_eleventh_waits() -> None:
    eight = [OCCURRED - 12 * HOUR + minute * 60 for minute in range(8)]
    ninth = declined(card_brand="mastercard", previous=eight)
    assert guarded(ninth, retry_at(OCCURRED + HOUR)).retry_at.seconds == OCCURRED + HOUR

    nine = [*eight, OCCURRED - HOUR]
    answer = guarded(declined(card_brand="mastercard", previous=nine), retry_at(OCCURRED + HOUR))
    assert answer.retry_at.seconds == eight[0] + DAY + 1
    assert answer.network_rule == "mastercard.declines_24h"


def test_the_thirty_fifth_attempt_of_a_month_on_a_mastercard_is_allowed_and_the_thirty_sixth_is_not() -> None:
    thirty_three = [OCCURRED - 10 * DAY - number * 6 * HOUR for number in range(33)]
    asked = declined(card_brand="mastercard", previous=thirty_three)
    assert guarded(asked, retry_at(OCCURRED + HOUR)).attempts_left == 1

    thirty_four = [*thirty_three, OCCURRED - 2 * DAY]
    answer = guarded(declined(card_brand="mastercard", previous=thirty_four), retry_at(OCCURRED + HOUR))
    assert answer.network_rule == "mastercard.declines_30d"
    assert answer.retry_at.seconds == min(thirty_four) + 30 * DAY + 1


def test_a_mastercards_day_counts_attempts_for_any_amount_and_its_month_and_a_visas_those_for_one() -> None:
    elsewhere = [OCCURRED - 12 * HOUR + minute * 60 for minute in range(9)]
    eight = declined(card_brand="mastercard", other_amounts=elsewhere[:8])
    assert guarded(eight, retry_at(OCCURRED + HOUR)).retry_at.seconds == OCCURRED + HOUR
    answer = guarded(declined(card_brand="mastercard", other_amounts=elsewhere), retry_at(OCCURRED + HOUR))
    assert answer.retry_at.seconds == elsewhere[0] + DAY + 1
    assert answer.network_rule == "mastercard.declines_24h"

    forty = [OCCURRED - 10 * DAY - number * 6 * HOUR for number in range(40)]
    for brand in ("mastercard", "visa"):
        asked = declined(card_brand=brand, other_amounts=forty)
        assert guarded(asked, retry_at(OCCURRED + HOUR)).retry_at.seconds == OCCURRED + HOUR


def test_an_exhausted_budget_is_named_where_something_else_speaks_against_a_retry_already() -> None:
    wish = RecommendStrategyResponse(action=RETRY_ACTION_UPDATE_PAYMENT_METHOD, decline_class=DECLINE_CLASS_CARD_DATA)
    GUARD.enforce(wish, case(declined("expired_card", previous=[OCCURRED - DAY * day for day in range(1, 15)])))
    assert (wish.attempts_left, wish.network_rule) == (0, "visa.reattempts_30d")
    assert wish.action == RETRY_ACTION_UPDATE_PAYMENT_METHOD


def test_an_attempt_exactly_a_window_ago_still_counts() -> None:
    at_the_edge = [OCCURRED + HOUR - DAY] + [OCCURRED - HOUR] * 8
    answer = guarded(declined(card_brand="mastercard", previous=at_the_edge), retry_at(OCCURRED + HOUR))
    assert answer.retry_at.seconds == OCCURRED + HOUR + 1


def test_an_attempt_exactly_a_window_before_the_retry_is_not_left_to_make() -> None:
    at_the_edge = declined(card_brand="mastercard", previous=[OCCURRED + HOUR - DAY])
    assert guarded(at_the_edge, retry_at(OCCURRED + HOUR)).attempts_left == 8
    assert guarded(at_the_edge, retry_at(OCCURRED + HOUR + 1)).attempts_left == 9


def test_a_budget_that_frees_nothing_in_time_ends_the_retries() -> None:
    just_now = [OCCURRED - minute for minute in range(14)]
    answer = guarded(declined(previous=just_now), retry_at(OCCURRED + HOUR, success_probability=0.9))
    assert answer.action == RETRY_ACTION_DO_NOT_RETRY
    assert answer.network_rule == "visa.reattempts_30d"
    assert answer.attempts_left == 0
    assert not answer.HasField("retry_at")
    assert not answer.HasField("success_probability")
    assert [reason.code for reason in answer.reasons] == ["visa.reattempts_30d"]


def test_a_fraction_of_a_second_too_early_is_too_early() -> None:
    wish = retry_at(OCCURRED + HOUR - 1)
    wish.retry_at.nanos = 999_999_999
    answer = guarded(declined(card_brand="mastercard", network_advice_code="24"), wish)
    assert (answer.retry_at.seconds, answer.retry_at.nanos) == (OCCURRED + HOUR, 0)


def test_a_probability_stated_for_another_moment_is_taken_out_when_the_retry_moves() -> None:
    answer = guarded(declined(network_advice_code="25"), retry_at(OCCURRED + HOUR, success_probability=0.9))
    assert answer.retry_at.seconds == OCCURRED + DAY
    assert not answer.HasField("success_probability")
    assert [reason.code for reason in answer.reasons] == ["model.says", "mastercard.mac_25"]


@pytest.mark.parametrize(
    ("facts", "action", "rule"),
    [
        ({"code": "stolen_card"}, RETRY_ACTION_DO_NOT_RETRY, "stripe.non_retryable"),
        ({"code": "fraudulent"}, RETRY_ACTION_DO_NOT_RETRY, "decline.fraudulent"),
        ({"code": "incorrect_number"}, RETRY_ACTION_UPDATE_PAYMENT_METHOD, "stripe.non_retryable"),
        ({"code": "authentication_required"}, RETRY_ACTION_AUTHENTICATE, "stripe.non_retryable"),
        (
            {"code": "generic_decline", "provider_advice_code": "do_not_try_again"},
            RETRY_ACTION_DO_NOT_RETRY,
            "advice.do_not_try_again",
        ),
        (
            {"code": "generic_decline", "provider_advice_code": "confirm_card_data"},
            RETRY_ACTION_UPDATE_PAYMENT_METHOD,
            "advice.confirm_card_data",
        ),
        ({"code": "generic_decline", "network_decline_code": "57"}, RETRY_ACTION_DO_NOT_RETRY, "visa.category_1"),
        ({"code": "generic_decline", "network_advice_code": "03"}, RETRY_ACTION_DO_NOT_RETRY, "mastercard.mac_03"),
        ({"code": "generic_decline", "network_advice_code": "21"}, RETRY_ACTION_DO_NOT_RETRY, "mastercard.mac_21"),
        # The final one of two prohibitions holds.
        (
            {"code": "authentication_required", "network_advice_code": "03"},
            RETRY_ACTION_DO_NOT_RETRY,
            "mastercard.mac_03",
        ),
        ({"code": "stolen_card", "network_advice_code": "01"}, RETRY_ACTION_DO_NOT_RETRY, "stripe.non_retryable"),
    ],
)
def test_a_forbidden_retry_is_taken_back(facts: dict[str, str], action: int, rule: str) -> None:
    answer = guarded(declined(**facts), retry_at(OCCURRED + DAY))
    assert (answer.action, answer.network_rule) == (action, rule)
    assert not answer.HasField("retry_at")
    assert [reason.code for reason in answer.reasons] == [rule]


def test_a_late_event_is_not_answered_with_a_time_before_attempts_that_were_made_since() -> None:
    since = [OCCURRED + 2 * DAY, OCCURRED + 3 * DAY]
    answer = guarded(declined(previous=since), retry_at(OCCURRED + DAY))
    assert answer.retry_at.seconds == since[-1] + 1


def test_attempts_left_are_told_for_answers_that_are_no_retry() -> None:
    wish = RecommendStrategyResponse(action=RETRY_ACTION_UPDATE_PAYMENT_METHOD, decline_class=DECLINE_CLASS_CARD_DATA)
    GUARD.enforce(wish, case(declined("expired_card", previous=[OCCURRED - HOUR])))
    assert wish.attempts_left == 13
    assert wish.network_rule == ""
