"""What a fact changes, and what features say about it."""

from collections.abc import Iterable
from dataclasses import replace
from math import sqrt

import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_FRAUD, DECLINE_CLASS_HARD

from mlops.features.catalog import Entity, names
from mlops.features.facts import Outcome, PaymentFact
from mlops.features.state import MOST_ATTEMPTS, MOST_SEEN, EventState, MerchantState, State, empty
from mlops.features.transform import Values, apply, features
from mlops.features.windows import DAY_US, HOUR_US, SECOND_US
from tests.unit.mlops.features.histories import START_US, fact, history


def after(entity: Entity, *facts: PaymentFact) -> State:
    state = empty(entity)
    for each in facts:
        state = apply(state, each)
    return state


def values(entity: Entity, facts: Iterable[PaymentFact], at_us: int) -> Values:
    return features(after(entity, *facts), at_us)


@pytest.mark.parametrize("entity", Entity)
def test_the_transform_yields_exactly_the_names_of_the_catalog(entity: Entity) -> None:
    assert tuple(features(empty(entity), START_US)) == names(entity)
    assert tuple(values(entity, [fact(fraud_score=0.5)], START_US)) == names(entity)


@pytest.mark.parametrize("entity", Entity)
def test_nothing_known_is_no_number_but_for_counts(entity: Entity) -> None:
    assert set(features(empty(entity), START_US).values()) == {0, None}


def test_a_window_is_closed_at_its_end_and_open_at_its_start() -> None:
    one = fact(at_us=START_US)
    state = after(Entity.CUSTOMER, one)
    assert features(state, START_US)["total_payments_7d"] == 1
    assert features(state, START_US - 1)["total_payments_7d"] == 0
    assert features(state, START_US + 7 * DAY_US - 1)["total_payments_7d"] == 1
    assert features(state, START_US + 7 * DAY_US)["total_payments_7d"] == 0


def test_failures_are_counted_and_rated() -> None:
    facts = [
        fact(1, at_us=START_US),
        fact(2, at_us=START_US + DAY_US, outcome=Outcome.FAILED, decline_class=DECLINE_CLASS_HARD),
        fact(3, at_us=START_US + 2 * DAY_US, outcome=Outcome.FAILED, decline_class=DECLINE_CLASS_FRAUD),
    ]
    found = values(Entity.CUSTOMER, facts, START_US + 2 * DAY_US)
    assert found["failed_payments_7d"] == 2
    assert found["decline_rate_7d"] == 2 / 3
    assert (found["hard_declines_30d"], found["fraud_declines_30d"]) == (1, 1)
    assert found["failures_in_a_row"] == 2
    assert found["days_since_last_success"] == 2
    assert found["days_since_last_failure"] == 0
    assert found["hours_since_previous_payment"] == 24


def test_amounts_are_compared_in_one_currency_only() -> None:
    amounts = [1000, 1200, 900, 1100]
    facts = [fact(each, at_us=START_US + each, amount_cents=cents) for each, cents in enumerate(amounts)]
    facts.append(fact(9, at_us=START_US + 9, amount_cents=3_000_000, currency="JPY"))
    facts.append(fact(10, at_us=START_US + 10, amount_cents=5000))
    found = values(Entity.CUSTOMER, facts, START_US + 10)
    mean = sum(amounts) / 4
    deviation = sqrt(sum((each - mean) ** 2 for each in amounts) / 3)
    assert found["amount_zscore"] == pytest.approx((5000 - mean) / deviation)
    assert found["amount_avg_30d"] == sum([*amounts, 5000]) / 5
    assert found["amount_max_30d"] == 5000
    # The yen payment has none before it to be compared with.
    assert values(Entity.CUSTOMER, facts, START_US + 9)["amount_zscore"] is None


def test_an_amount_beside_amounts_that_never_vary_has_a_finite_score() -> None:
    facts = [fact(each, at_us=START_US + each) for each in range(5)]
    assert values(Entity.CUSTOMER, facts, START_US + 5)["amount_zscore"] == 0
    facts.append(fact(9, at_us=START_US + 9, amount_cents=9800))
    assert values(Entity.CUSTOMER, facts, START_US + 9)["amount_zscore"] == 10


def test_cards_and_customers_are_counted_apart() -> None:
    facts = [
        fact(1, at_us=START_US, card="card_1", customer="cus_1"),
        fact(2, at_us=START_US + HOUR_US, card="card_2", customer="cus_2", amount_cents=1),
        fact(3, at_us=START_US + 2 * HOUR_US, card=None, customer=None, amount_cents=2),
    ]
    at_us = START_US + 2 * HOUR_US
    assert values(Entity.CUSTOMER, facts, at_us)["distinct_cards_24h"] == 2
    card = values(Entity.CARD, facts, at_us)
    assert card["card_distinct_customers_24h"] == 2
    assert card["card_distinct_amounts_24h"] == 3
    assert card["card_same_amount_attempts_30d"] == 1
    assert (card["card_attempts_1h"], card["card_attempts_24h"]) == (1, 3)


def test_the_latest_score_of_a_payment_counts_from_when_it_was_given() -> None:
    facts = [
        fact(1, outcome=Outcome.OTHER, payment="stripe:pi_1", fraud_score=0.2, at_us=START_US),
        fact(2, outcome=Outcome.OTHER, payment="stripe:pi_1", fraud_score=0.9, at_us=START_US + 1),
        fact(3, outcome=Outcome.OTHER, payment="stripe:pi_2", fraud_score=0.6, at_us=START_US + DAY_US),
    ]
    found = values(Entity.CUSTOMER, facts, START_US + DAY_US)
    assert (found["fraud_score_avg_30d"], found["fraud_score_max_30d"]) == (0.75, 0.9)
    assert found["total_payments_30d"] == 0
    assert values(Entity.CUSTOMER, facts[:1], START_US)["fraud_score_avg_30d"] == 0.2
    assert values(Entity.CUSTOMER, facts[::-1], START_US + DAY_US) == found


def test_refunds_and_disputes_count_once_a_payment() -> None:
    events = ((Outcome.SUCCEEDED, 1), (Outcome.REFUNDED, 2), (Outcome.REFUNDED, 3), (Outcome.DISPUTED, 4))
    facts = [
        fact(number, outcome=outcome, payment="stripe:pi_1", at_us=START_US + number) for outcome, number in events
    ]
    found = values(Entity.CUSTOMER, facts, START_US + DAY_US)
    assert (found["refunded_payments_90d"], found["disputed_payments_90d"]) == (1, 1)
    merchant = values(Entity.MERCHANT, facts, START_US + DAY_US)
    assert (merchant["merchant_refund_rate_30d"], merchant["merchant_dispute_rate_30d"]) == (1, 1)


def test_successes_have_an_interval() -> None:
    facts = [fact(each, at_us=START_US + 30 * each * DAY_US) for each in range(4)]
    assert values(Entity.CUSTOMER, facts, START_US + 90 * DAY_US)["success_interval_days_90d"] == 30


def test_a_merchants_window_holds_the_hour_under_way_and_the_whole_hours_before_it() -> None:
    state = after(Entity.MERCHANT, fact(at_us=START_US + HOUR_US - 1))
    assert features(state, START_US + 2 * HOUR_US - 1)["merchant_attempts_1h"] == 1
    assert features(state, START_US + 2 * HOUR_US)["merchant_attempts_1h"] == 0
    assert features(state, START_US + 25 * HOUR_US - 1)["merchant_attempts_24h"] == 1
    assert features(state, START_US + 25 * HOUR_US)["merchant_attempts_24h"] == 0


@pytest.mark.parametrize("entity", Entity)
def test_a_duplicate_changes_nothing(entity: Entity) -> None:
    state = empty(entity)
    seen = []
    for each in history(seed=11):
        state = apply(state, each)
        seen.append(each)
        for known in seen[-40:]:
            assert apply(state, known) is state
            assert apply(state, replace(known, arrived_at_us=known.arrived_at_us + 9)) is state


OWN = fact(1, outcome=Outcome.FAILED, payment="stripe:pi_1", attempt="ch_1")
WHOLE = fact(2, outcome=Outcome.FAILED, payment="stripe:pi_1", attempt=None, at_us=START_US + 2 * SECOND_US)
LATER = fact(3, outcome=Outcome.FAILED, payment="stripe:pi_1", attempt="ch_2", at_us=START_US + 60 * SECOND_US)
WHOLE_LATER = fact(4, outcome=Outcome.FAILED, payment="stripe:pi_1", attempt=None, at_us=START_US + 60 * SECOND_US)
ATTEMPTS = {
    Entity.CUSTOMER: "total_payments_30d",
    Entity.CARD: "card_attempts_30d",
    Entity.MERCHANT: "merchant_attempts_7d",
}


@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 3, 2), (2, 0, 1, 3), (3, 2, 1, 0), (3, 1, 2, 0)])
def test_two_events_about_one_failed_attempt_count_once_in_any_order(entity: Entity, order: tuple[int, ...]) -> None:
    told = (OWN, WHOLE, LATER, WHOLE_LATER)
    found = values(entity, [told[each] for each in order], START_US + DAY_US)
    assert found[ATTEMPTS[entity]] == 2


@pytest.mark.parametrize("entity", Entity)
def test_attempts_told_of_by_one_kind_of_event_all_count(entity: Entity) -> None:
    assert values(entity, [OWN, LATER], START_US + DAY_US)[ATTEMPTS[entity]] == 2
    assert values(entity, [WHOLE, WHOLE_LATER], START_US + DAY_US)[ATTEMPTS[entity]] == 2


@pytest.mark.parametrize("entity", Entity)
def test_a_payment_succeeds_once_whoever_says_so(entity: Entity) -> None:
    charge = fact(1, payment="stripe:pi_1")
    intent = fact(2, payment="stripe:pi_1", attempt=None, at_us=START_US + 3 * DAY_US)
    assert values(entity, [charge, intent], START_US + 3 * DAY_US)[ATTEMPTS[entity]] == 1


def test_the_second_event_tells_the_card_that_the_first_left_out() -> None:
    first, second = replace(WHOLE, card_id=None), OWN
    assert values(Entity.CUSTOMER, [first], START_US + DAY_US)["distinct_cards_24h"] == 0
    assert values(Entity.CUSTOMER, [first, second], START_US + HOUR_US)["distinct_cards_24h"] == 1


@pytest.mark.parametrize("entity", Entity)
def test_a_late_fact_takes_its_place_in_time(entity: Entity) -> None:
    facts = [each for each in history(seed=5, payments=40, days=20) if each.attempt_id is not None]
    by_time = sorted(facts, key=lambda each: each.occurred_at_us)
    late = [*by_time[1::2], *by_time[::2]]
    at_us = by_time[-1].occurred_at_us
    assert values(entity, late, at_us) == values(entity, by_time, at_us)


def test_no_event_from_the_future_makes_a_state_forget() -> None:
    facts = [fact(1), fact(2, at_us=START_US + 40_000 * DAY_US, arrived_us=START_US + DAY_US), fact(3)]
    assert values(Entity.CUSTOMER, facts, START_US)["total_payments_30d"] == 2
    assert values(Entity.MERCHANT, facts, START_US)["merchant_attempts_7d"] == 2


def test_too_many_attempts_forget_the_oldest_and_stay_within_bounds() -> None:
    facts = [fact(each, at_us=START_US + each) for each in range(MOST_ATTEMPTS + 100)]
    state = after(Entity.CARD, *facts)
    assert isinstance(state, EventState)
    assert len(state.times) == MOST_ATTEMPTS
    assert features(state, START_US + DAY_US)["card_attempts_30d"] == MOST_ATTEMPTS
    # What is forgotten does not come back as news.
    assert apply(state, facts[0]) is state


def test_the_last_success_is_known_when_its_attempt_is_forgotten() -> None:
    failures = [
        fact(each, at_us=START_US + each * DAY_US, outcome=Outcome.FAILED, decline_class=1) for each in range(1, 120)
    ]
    found = values(Entity.CUSTOMER, [fact(900), *failures], START_US + 119 * DAY_US)
    assert found["days_since_last_success"] == 119
    assert found["days_since_first_payment"] == 119
    assert found["failures_in_a_row"] == 97


def test_a_merchants_state_stays_within_bounds() -> None:
    state = empty(Entity.MERCHANT)
    for each in range(3000):
        state = apply(state, fact(each, at_us=START_US + each * HOUR_US, outcome=Outcome.FAILED, decline_class=1))
    assert isinstance(state, MerchantState)
    assert len(state.counts.hours) <= (37 + 7) * 24
    assert len(state.seen) == MOST_SEEN * 8
    assert features(state, START_US + 2999 * HOUR_US)["merchant_attempts_7d"] == 7 * 24 + 1
