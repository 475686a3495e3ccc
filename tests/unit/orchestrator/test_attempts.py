"""Each attempt before an event counts once against its card's budget, however many events tell of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.inference.tables import read_rule_tables
from services.runtime import contract
from services.runtime.clock import timestamp
from tests.fakes.payments import failed, succeeded
from tests.fakes.times import NOW
from workflows.payment_event.attempts import (
    LOOKBACK_HOURS,
    MOST_ATTEMPTS,
    MOST_ROWS,
    earlier_attempts,
    failed_event,
    lanes,
    may_be_one_card,
)
from workflows.payment_event.ports import EarlierAttempts
from workflows.payment_event.questions import assessment_item, with_attempts

PAYMENT = "stripe:pi_1"
UNKNOWN_CARD = {"card_fingerprint": None, "card_last_four": None}


def at(hours: float) -> datetime:
    """So many hours before the event that is decided on."""
    return NOW - timedelta(hours=hours)


def told_by_charge(number: int, hours: float, payment_id: str = PAYMENT, **changes: Any) -> UnifiedPaymentEvent:
    """charge.failed."""
    own = {"payment_id": payment_id, "provider_object_id": f"ch_{number}", "provider_created_at": timestamp(at(hours))}
    return failed(f"charge{number}", **{**own, **changes})


def told_by_intent(number: int, hours: float, payment_id: str = PAYMENT, **changes: Any) -> UnifiedPaymentEvent:
    """payment_intent.payment_failed."""
    own = {
        "payment_id": payment_id,
        "provider_object_id": payment_id.removeprefix("stripe:"),
        "provider_created_at": timestamp(at(hours)),
    }
    return failed(f"intent{number}", **{**own, **changes})


def before(event: UnifiedPaymentEvent, *others: UnifiedPaymentEvent) -> EarlierAttempts:
    return earlier_attempts(failed_event(event), map(failed_event, others))


def counted(event: UnifiedPaymentEvent, *others: UnifiedPaymentEvent) -> int:
    return len(before(event, *others).same_amount)


def test_attempts_are_told_oldest_first() -> None:
    event = told_by_charge(3, 0)
    assert before(event, told_by_charge(2, 1), told_by_charge(1, 5)).same_amount == [at(5), at(1)]


def test_the_event_itself_delivered_again_does_not_count() -> None:
    event = told_by_charge(1, 0)
    assert counted(event, event) == 0
    again = told_by_charge(1, 0, event_id="stripe:evt_the_same_charge_under_another_id")
    assert counted(event, again) == 0


@pytest.mark.parametrize("apart_seconds", [0, 1, 5])
def test_two_events_about_one_attempt_count_as_one(apart_seconds: int) -> None:
    apart = apart_seconds / 3600
    earlier = [told_by_charge(1, 24), told_by_intent(1, 24 - apart)]
    assert counted(told_by_charge(2, 0), *earlier) == 1
    assert before(told_by_charge(2, 0), *earlier).same_amount == [at(24 - apart)]
    assert counted(told_by_intent(1, 0), told_by_charge(1, apart)) == 0
    assert counted(told_by_charge(1, 0), told_by_intent(1, apart)) == 0


def test_events_about_the_payment_further_apart_are_attempts_of_their_own() -> None:
    assert counted(told_by_charge(2, 0), told_by_charge(1, 24), told_by_intent(1, 24 - 6 / 3600)) == 2
    assert counted(told_by_intent(3, 0), told_by_intent(1, 2), told_by_intent(2, 1)) == 2


def test_one_event_about_the_payment_stands_for_one_charge_alone() -> None:
    in_haste = [told_by_charge(1, 1), told_by_charge(2, 1 - 2 / 3600), told_by_intent(1, 1)]
    assert counted(told_by_charge(3, 0), *in_haste) == 2


def test_charges_without_a_payment_are_an_attempt_each() -> None:
    direct = [told_by_charge(number, number, f"stripe:ch_{number}") for number in (1, 2)]
    assert counted(told_by_charge(3, 0, "stripe:ch_3"), *direct) == 2


def test_a_later_attempt_does_not_count_and_one_in_the_same_second_does() -> None:
    event = told_by_charge(1, 0)
    assert counted(event, told_by_charge(2, -1 / 3600)) == 0
    assert counted(event, told_by_charge(2, 0)) == 1


def test_other_amounts_and_currencies_are_told_apart() -> None:
    others = [told_by_charge(1, 3, amount_cents=2001), told_by_charge(2, 2, currency="EUR"), told_by_charge(3, 1)]
    earlier = before(told_by_charge(4, 0), *others)
    assert (earlier.same_amount, earlier.other_amounts) == ([at(1)], [at(3), at(2)])


def test_a_card_is_one_card_over_payments_customers_and_merchants() -> None:
    elsewhere = told_by_charge(1, 1, "stripe:pi_2", customer_id="cus_bob", merchant_id="acct_other")
    assert counted(told_by_charge(2, 0), elsewhere) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"card_fingerprint": "fp_bob"}, False),
        ({"card_fingerprint": None}, {"card_fingerprint": "fp_bob"}, True),
        (UNKNOWN_CARD, {}, True),
        (UNKNOWN_CARD, UNKNOWN_CARD, True),
        ({"card_fingerprint": None}, {"card_fingerprint": None, "card_last_four": "0005"}, False),
        (UNKNOWN_CARD, {**UNKNOWN_CARD, "payment_method_type": "us_bank_account"}, False),
        (UNKNOWN_CARD, {"payment_id": "stripe:pi_2"}, True),
        (UNKNOWN_CARD, {"payment_id": "stripe:pi_2", "customer_id": "cus_bob"}, False),
        (UNKNOWN_CARD, {"payment_id": "stripe:pi_2", "merchant_id": "acct_other"}, False),
        ({**UNKNOWN_CARD, "customer_id": None}, {"payment_id": "stripe:pi_2", "customer_id": None}, False),
        ({}, {"livemode": False}, False),
    ],
)
def test_where_a_card_is_not_known_the_strictest_reading_holds(
    one: dict[str, Any], other: dict[str, Any], *, same: bool
) -> None:
    first, second = told_by_charge(1, 1, **one), told_by_charge(2, 0, **other)
    assert may_be_one_card(failed_event(first), failed_event(second)) is same
    assert may_be_one_card(failed_event(second), failed_event(first)) is same
    assert lanes(first) & lanes(second) or not same


def test_events_of_one_card_are_decided_in_turn_and_other_events_at_once() -> None:
    assert not lanes(succeeded())
    elsewhere = told_by_charge(1, 1, "stripe:pi_2", customer_id="cus_bob", merchant_id="acct_other")
    assert lanes(elsewhere) & lanes(told_by_charge(2, 0))
    assert not lanes(elsewhere) & lanes(told_by_charge(2, 0, card_fingerprint="fp_bob"))


@given(
    tries=st.lists(
        st.tuples(st.integers(0, 10_000), st.sampled_from(["charge", "intent", "both"])), unique_by=lambda try_: try_[0]
    ),
    apart=st.integers(0, 1),
    order=st.randoms(use_true_random=False),
)
def test_tries_count_once_each_in_whatever_order_their_events_came(
    tries: Sequence[tuple[int, str]], apart: int, order: Any
) -> None:
    events = []
    for number, (minutes, told) in enumerate(tries):
        hours = 1 + minutes / 60
        if told != "intent":
            events.append(told_by_charge(number, hours))
        if told != "charge":
            events.append(told_by_intent(number, hours - apart / 3600))
    order.shuffle(events)
    assert counted(told_by_charge(-1, 0), *events) == min(len(tries), MOST_ATTEMPTS)


def test_what_is_told_keeps_the_contract_of_the_question_however_much_is_known() -> None:
    event = told_by_charge(999, 0)
    others = [told_by_charge(number, 1 + number, amount_cents=2000 + number % 2) for number in range(900)]
    earlier = before(event, *others)
    assert len(earlier.same_amount) == len(earlier.other_amounts) == MOST_ATTEMPTS
    assert earlier.same_amount[-1] == at(1)
    item = assessment_item(event)
    assert item is not None
    contract.check(with_attempts(item, earlier))


def test_a_time_is_rounded_as_storage_rounds_it() -> None:
    event = told_by_charge(1, 0)
    event.provider_created_at.nanos = 123_456_789
    assert failed_event(event).provider_created_at == NOW + timedelta(microseconds=123_457)


def test_the_look_up_reaches_as_far_as_the_longest_budget_and_reads_enough_for_the_largest() -> None:
    budgets = [budget for network in read_rule_tables().networks.networks for budget in network.budgets]
    assert max(budget.window_hours for budget in budgets) <= LOOKBACK_HOURS
    assert 2 * max(budget.attempts for budget in budgets) <= MOST_ROWS
