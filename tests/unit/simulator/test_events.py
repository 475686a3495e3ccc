"""Generated events fit the contracts, follow from seed and run, and tell consistent life stories."""

import json
from collections import defaultdict
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.simulator.events import Event, Expected, Timeline, generate
from services.simulator.world import build_world
from tests.unit.simulator.contracts import WEBHOOKS, broken_rules, contract_of, contracted_types

START = 1_790_000_000
TIMELINE = Timeline(START, 0.05)


def events(count: int, seed: int = 1, run_id: str = "a") -> list[Event]:
    return list(islice(generate(build_world(seed, 2026), seed, run_id, TIMELINE), count))


@pytest.fixture(scope="module")
def many() -> list[Event]:
    return events(4000)


def shown(event: Event) -> dict[str, Any]:
    return json.loads(event.body)["data"]["object"]  # type: ignore[no-any-return]


def test_seed_and_run_make_the_same_bytes_again() -> None:
    assert [event.body for event in events(300)] == [event.body for event in events(300)]


def test_another_run_tells_the_same_story_under_other_ids() -> None:
    first, second = events(300, run_id="a"), events(300, run_id="b")
    assert not {event.event_id for event in first} & {event.event_id for event in second}
    assert not {event.payment for event in first if event.payment} & {e.payment for e in second if e.payment}
    assert [(e.type, e.amount, e.currency) for e in first] == [(e.type, e.amount, e.currency) for e in second]


def test_another_seed_tells_another_story() -> None:
    assert [event.type for event in events(300, seed=1)] != [event.type for event in events(300, seed=2)]


def test_event_ids_are_unique(many: list[Event]) -> None:
    assert len({event.event_id for event in many}) == len(many)


def test_what_is_expected_to_be_normalised_keeps_its_contract(many: list[Event]) -> None:
    for event in many[:1500]:
        body = json.loads(event.body)
        if event.expected is Expected.NORMALISED:
            assert contract_of(body) is not None, event.type
            assert broken_rules(body) == [], event.type
        else:
            assert event.expected is Expected.OTHER
            assert contract_of(body) is None, event.type


def test_nearly_every_contracted_type_occurs(many: list[Event]) -> None:
    contracted = set().union(*(contracted_types(webhook) for webhook in WEBHOOKS.values()))
    assert contracted - {event.type for event in many} == {"payment_intent.partially_funded"}


def test_amount_and_currency_of_an_event_are_those_of_its_body(many: list[Event]) -> None:
    for event in many:
        assert event.amount == shown(event).get("amount")
        assert event.currency == shown(event).get("currency")
        assert event.event_id == json.loads(event.body)["id"]


def test_amounts_are_integers_and_three_decimal_ones_end_in_zero(many: list[Event]) -> None:
    amounts = [(event.currency, shown(event)["amount"]) for event in many if event.amount is not None]
    assert all(type(amount) is int and amount > 0 for _, amount in amounts)
    assert all(amount % 10 == 0 for currency, amount in amounts if currency == "kwd")
    assert {"jpy", "kwd", "krw"} <= {currency for currency, _ in amounts}


def test_a_merchant_is_named_by_account_or_metadata_or_not_at_all(many: list[Event]) -> None:
    for event in many:
        body = json.loads(event.body)
        named = body.get("account") or shown(event).get("metadata", {}).get("merchant_id")
        if event.expected is Expected.NORMALISED:
            assert event.merchant_id == named


def test_two_events_state_one_success() -> None:
    told = defaultdict(set)
    for event in events(600):
        if event.type in {"charge.succeeded", "payment_intent.succeeded"}:
            told[event.payment].add(event.type)
    assert sum(len(types) == 2 for types in told.values()) > 20


def test_old_api_versions_nest_charges_and_new_ones_name_the_latest(many: list[Event]) -> None:
    seen = set()
    for event in many:
        body = json.loads(event.body)
        if event.type != "payment_intent.succeeded":
            continue
        old = body["api_version"] < "2022-11-15"
        seen.add(old)
        assert ("charges" in shown(event)) is old
        assert ("latest_charge" in shown(event)) is not old
    assert seen == {True, False}


def test_the_oldest_version_charges_a_source_without_a_payment_intent(many: list[Event]) -> None:
    old = [event for event in many if json.loads(event.body)["api_version"] < "2019" and event.payment]
    assert old
    assert not any(event.type.startswith("payment_intent.") for event in old)
    charged = [shown(event) for event in old if event.type == "charge.succeeded"]
    assert all(charge["source"]["object"] == "card" and "payment_method_details" not in charge for charge in charged)


def test_declines_name_code_advice_and_network_code(many: list[Event]) -> None:
    failed = [shown(e) for e in many if e.type == "payment_intent.payment_failed"]
    errors = [intent["last_payment_error"] for intent in failed]
    assert len({error.get("decline_code") for error in errors}) >= 15
    assert {"do_not_try_again", "try_again_later", "confirm_card_data"} <= {
        error.get("advice_code") for error in errors
    }
    mastercard = [e for e in errors if e["payment_method"].get("card", {}).get("brand") == "mastercard"]
    assert any(error.get("network_advice_code") in {"02", "03", "21"} for error in mastercard)


def test_an_update_tells_what_was_before(many: list[Event]) -> None:
    for event in many:
        if event.type == "charge.refunded":
            previous = json.loads(event.body)["data"]["previous_attributes"]
            assert previous["amount_refunded"] < shown(event)["amount_refunded"]


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000))
def test_a_life_never_runs_backwards(seed: int) -> None:
    by_payment = defaultdict(list)
    for event in events(400, seed=seed):
        if event.payment is not None:
            by_payment[event.payment].append(json.loads(event.body))
    for told in by_payment.values():
        assert all(first["created"] <= second["created"] for first, second in pairwise(told))
        kinds = [body["type"] for body in told]
        assert "payment_intent.created" not in kinds[1:] or kinds[0].startswith("invoice.")
        _never_gives_back_more_than_was_taken(told)
        _disputes_only_what_succeeded(kinds)


def _never_gives_back_more_than_was_taken(told: list[dict[str, Any]]) -> None:
    for body in told:
        charge = body["data"]["object"]
        if charge["object"] == "charge":
            assert 0 <= charge["amount_refunded"] <= charge["amount_captured"] if "amount_captured" in charge else True
            assert charge["refunded"] is (charge["amount_refunded"] == charge["amount"])


def _disputes_only_what_succeeded(kinds: list[str]) -> None:
    if "charge.dispute.created" in kinds:
        assert "charge.succeeded" in kinds[: kinds.index("charge.dispute.created")]
