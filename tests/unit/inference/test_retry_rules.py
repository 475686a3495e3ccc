import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_AUTHENTICATE,
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RecommendStrategyResponse,
)
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_UNKNOWN

from services.runtime import contract
from tests.unit.inference.contexts import AT, DAY, HOUR, OCCURRED, TABLES, declined, handler
from tests.unit.inference.strategies import payments, retryable_payments
from tests.unit.inference.test_guard import over_budget

HANDLER = handler()


def strategy(asked: PaymentContext) -> RecommendStrategyResponse:
    return HANDLER.recommend([asked], AT)[0]


def waits(code: str, tries: int) -> list[int | None]:
    """Hours until each further try, as if every recommendation were followed at once and failed."""
    attempts = [OCCURRED]
    found: list[int | None] = []
    for _ in range(tries):
        answer = strategy(declined(code, occurred=attempts[-1], previous=attempts[:-1]))
        if answer.action != RETRY_ACTION_RETRY:
            return [*found, None]
        found.append((answer.retry_at.seconds - attempts[-1]) // HOUR)
        attempts.append(answer.retry_at.seconds)
    return found


@pytest.mark.parametrize(
    ("code", "ladder"),
    [
        ("insufficient_funds", [48, 72, 72, 96, None]),
        ("issuer_not_available", [1, 6, 24, 48, 96, None]),
        ("do_not_honor", [24, 48, 48, 48, None]),
        ("brand_new_code", [24, 48, 48, 48, None]),
    ],
)
def test_the_ladder_of_a_class_is_climbed_once(code: str, ladder: list[int | None]) -> None:
    assert waits(code, tries=10) == ladder


def test_when_the_ladder_is_used_up_the_customer_is_asked_for_another_card() -> None:
    answer = strategy(declined("do_not_honor", previous=[OCCURRED - day * DAY for day in (7, 5, 3, 1)]))
    assert answer.action == RETRY_ACTION_UPDATE_PAYMENT_METHOD
    assert answer.reasons[0].code == "ladder.used_up"


def test_a_payment_of_an_earlier_cycle_does_not_use_the_ladder_up() -> None:
    monthly = [OCCURRED - 31 * DAY, OCCURRED - 62 * DAY]
    assert strategy(declined(previous=monthly)).retry_at.seconds == OCCURRED + 48 * HOUR


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("expired_card", RETRY_ACTION_UPDATE_PAYMENT_METHOD),
        ("card_not_supported", RETRY_ACTION_UPDATE_PAYMENT_METHOD),
        ("authentication_required", RETRY_ACTION_AUTHENTICATE),
        ("testmode_decline", RETRY_ACTION_DO_NOT_RETRY),
        ("lost_card", RETRY_ACTION_DO_NOT_RETRY),
        ("fraudulent", RETRY_ACTION_DO_NOT_RETRY),
    ],
)
def test_what_time_does_not_mend_is_not_tried_again(code: str, action: int) -> None:
    assert strategy(declined(code)).action == action


def test_mastercard_s_try_again_later_means_three_days() -> None:
    answer = strategy(declined("do_not_honor", card_brand="mastercard", network_advice_code="02"))
    assert answer.retry_at.seconds == OCCURRED + 72 * HOUR
    assert answer.network_rule == "mastercard.mac_02"


def test_attempts_left_count_the_failed_attempt_and_not_the_recommended_one() -> None:
    assert strategy(declined()).attempts_left == 14
    assert strategy(declined(previous=[OCCURRED - DAY])).attempts_left == 13


def test_no_success_probability_is_made_up() -> None:
    assert not strategy(declined()).HasField("success_probability")


def test_an_unknown_code_is_answered_as_generic_and_says_so() -> None:
    answer = strategy(declined("brand_new_code"))
    assert answer.decline_class == DECLINE_CLASS_UNKNOWN
    assert "decline.unknown" in [reason.code for reason in answer.reasons]


@given(asked=st.one_of(payments(), retryable_payments()))
def test_every_answer_keeps_the_contract_and_the_networks_rules(asked: PaymentContext) -> None:
    assert contract.broken_rules(asked) == ()
    answer = strategy(asked)
    assert contract.broken_rules(answer) == ()
    assert answer.provenance.fallback
    assert len(answer.reasons) > 0
    if answer.action == RETRY_ACTION_RETRY:
        judged = HANDLER._reader.read(asked)
        assert answer.retry_at.seconds > OCCURRED
        assert over_budget(judged, [answer.retry_at.seconds]) == []
        assert judged.tries_within(TABLES.declines.tries.window_hours * HOUR) < TABLES.declines.tries.most


@given(asked=payments())
def test_the_same_payment_is_answered_the_same_at_any_later_time(asked: PaymentContext) -> None:
    """A replay months later must not recommend another time."""
    later = type(AT)(seconds=AT.seconds + 200 * DAY)
    now, then = HANDLER.recommend([asked], AT)[0], HANDLER.recommend([asked], later)[0]
    then.provenance.predicted_at.CopyFrom(AT)
    assert now == then
