"""What becomes of a webhook: accepted, other, dead or refused, and nothing else, whatever the body."""

import hashlib
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE, SIGNATURE_SCHEME_STRIPE_V1

from services.gateway.decoder import Drift
from services.gateway.handler import DLQ_TOPIC, TOPICS, Arrival, Publish, Refuse, handle
from services.runtime import contract
from tests.unit.gateway.events import (
    CHARGE,
    CONTRACTED,
    ENDPOINT,
    NOW,
    NOW_SECONDS,
    PAYMENT_INTENT,
    RECEIPT_ID,
    REFUND,
    arrival,
    event,
    header,
    without,
)

ENVELOPES = Path(__file__).parents[4] / "shared/data/stripe/envelopes"


def decided(body: bytes | dict[str, Any]) -> Publish:
    result = handle(arrival(body), ENDPOINT)
    assert isinstance(result, Publish)
    return result


def dead(body: bytes | dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rule, path and redacted value of everything that a dead webhook broke."""
    result = decided(body)
    assert (result.outcome, result.topic, result.key) == ("dead", DLQ_TOPIC, result.event_id)
    message: Any = result.message
    assert [violation.rule_id for violation in message.violations] == list(result.rule_ids)
    return [(v.rule_id, v.field_path, v.redacted_value) for v in message.violations]


@pytest.mark.parametrize("event_type", CONTRACTED)
def test_an_event_with_a_contract_is_accepted_on_its_objects_topic_under_its_merchant(event_type: str) -> None:
    carried = CONTRACTED[event_type]
    result = decided(event(event_type, carried, account="acct_1"))
    assert (result.outcome, result.topic, result.key) == ("accepted", f"webhooks.stripe.{carried['object']}", "acct_1")
    assert (result.event_id, result.event_type) == ("stripe:evt_3PqrstUVwxyz", event_type)
    assert contract.broken_rules(result.message) == ()


def test_an_accepted_message_holds_the_exact_body_and_what_the_contract_takes_of_it() -> None:
    body = orjson.dumps(event(), option=orjson.OPT_INDENT_2)
    message: Any = decided(body).message
    assert message.raw_body == body
    assert (message.charge.id, message.charge.amount, message.charge.currency) == ("ch_3PqrstUVwxyz", 4900, "usd")
    assert (message.event.id, message.event.created) == ("evt_3PqrstUVwxyz", 1_763_870_300)
    assert (message.type, message.merchant_id) == ("charge.succeeded", "shop")


def test_the_receipt_proves_when_and_how_the_webhook_was_received() -> None:
    body = orjson.dumps(event())
    message: Any = decided(body).message
    receipt = message.receipt
    assert (receipt.receipt_id, receipt.provider) == (RECEIPT_ID, PROVIDER_STRIPE)
    assert receipt.received_at.ToDatetime(NOW.tzinfo) == NOW
    assert (receipt.scheme, receipt.key_id) == (SIGNATURE_SCHEME_STRIPE_V1, ENDPOINT.secrets[0].key_id)
    assert receipt.signed_at.seconds == NOW_SECONDS
    assert (receipt.body_sha256, receipt.body_bytes) == (hashlib.sha256(body).digest(), len(body))


def test_a_refund_in_a_charge_refunded_event_goes_to_the_refunds() -> None:
    assert decided(event("charge.refunded", REFUND)).topic == "webhooks.stripe.refund"
    assert decided(event("charge.refunded", CHARGE)).topic == "webhooks.stripe.charge"


def test_drift_is_reported_with_an_accepted_webhook() -> None:
    drift = decided(event(carried={**CHARGE, "paid": "yes"}, novelty=1)).drift
    assert Drift("unknown_field", "novelty") in drift
    assert Drift("unknown_field", "data.object.balance_transaction") in drift
    assert Drift("type_change", "data.object.paid") in drift


@pytest.mark.parametrize("age", [timedelta(), timedelta(days=3)])
def test_an_unverified_webhook_is_refused_with_a_reason(age: timedelta) -> None:
    body = orjson.dumps(event())
    late = Arrival(body, header(body), RECEIPT_ID, NOW + age + timedelta(seconds=301))
    assert handle(late, ENDPOINT) == Refuse("outside_tolerance")
    assert handle(Arrival(body, None, RECEIPT_ID, NOW), ENDPOINT) == Refuse("signature_missing")


def test_a_type_without_a_contract_is_kept_whole_as_other() -> None:
    body = orjson.dumps(event("customer.created", {"id": "cus_1", "object": "customer"}))
    result = decided(body)
    message: Any = result.message
    assert (result.outcome, result.topic, result.key) == ("other", "webhooks.stripe.other", "shop")
    assert (message.provider_event_type, message.object_type, message.raw_body) == (
        "customer.created",
        "customer",
        body,
    )
    assert (message.event_id, message.api_version) == ("stripe:evt_3PqrstUVwxyz", "2025-04-30.basil")
    assert message.provider_created_at.seconds == 1_763_870_300


@pytest.mark.parametrize(
    "envelope", [{"id": 7}, {"id": None}, {"created": "soon"}, {"created": 2**62}, {"api_version": 3}, {"data": None}]
)
def test_an_uncontracted_event_is_kept_whatever_else_it_lacks(envelope: dict[str, Any]) -> None:
    result = decided({**event("customer.created", {}), **envelope})
    assert (result.outcome, contract.broken_rules(result.message)) == ("other", ())


def test_an_uncontracted_event_without_a_readable_id_is_known_by_its_receipt() -> None:
    assert decided(event("customer.created", {}, id="x")).event_id == f"stripe:receipt:{RECEIPT_ID}"


@pytest.mark.parametrize(
    ("body", "rule", "shape"),
    [
        (b"", "json.malformed", ""),
        (b"{", "json.malformed", ""),
        (b'{"id": "\xff"}', "json.malformed", ""),
        (b'{"amount": NaN}', "json.malformed", ""),
        (b'{"amount": 1e999}', "json.malformed", ""),
        (b"\xef\xbb\xbf{}", "json.malformed", ""),
        (b"[" * 100_000, "json.malformed", ""),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "json.malformed", ""),
        (b"[]", "json.not_object", "array(0)"),
        (b"null", "json.not_object", "absent"),
        (b'"evt_1"', "json.not_object", "string(5)"),
        (b"17", "json.not_object", "number"),
    ],
)
def test_a_body_that_is_no_event_is_dead_under_its_receipt(body: bytes, rule: str, shape: str) -> None:
    assert dead(body) == [(rule, "", shape)]
    assert decided(body).event_id == f"stripe:receipt:{RECEIPT_ID}"
    message: Any = decided(body).message
    assert message.raw_body == body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("required", "type", "absent")),
        (event(type=7), ("required", "type", "number")),
        (event(type=""), ("required", "type", "string(0)")),
        (event(type="x" * 129), ("string.max_len", "type", "string(129)")),
        (event(data=None), ("required", "data.object", "absent")),
        (event(data=[]), ("required", "data.object", "absent")),
        (event(carried="ch_1"), ("required", "data.object", "string(4)")),
        (event(carried=without(CHARGE, "object")), ("stripe.object_unexpected", "data.object.object", "absent")),
        (event(carried={"object": ["charge"]}), ("stripe.object_unexpected", "data.object.object", "array(1)")),
        (
            event(carried={**CHARGE, "object": "payout"}),
            ("stripe.object_unexpected", "data.object.object", "string(6)"),
        ),
        (event("refund.created", CHARGE), ("stripe.object_unexpected", "data.object.object", "string(6)")),
        (event(id="ch_1"), ("string.pattern", "id", "string(4)")),
        (without(event(), "id"), ("string.pattern", "id", "absent")),
        (without(event(), "created"), ("int64.gt", "created", "absent")),
        (event(created="1763870300"), ("int64.gt", "created", "string(10)")),
        (event(account="merchant"), ("string.pattern", "account", "string(8)")),
        (event(account=7), ("string.min_len", "account", "number")),
        (event(api_version="v" * 65), ("string.max_len", "api_version", "string(65)")),
        (event(carried=without(CHARGE, "amount")), ("required", "data.object.amount", "absent")),
        (event(carried={**CHARGE, "amount": "4900"}), ("required", "data.object.amount", "string(4)")),
        (event(carried={**CHARGE, "amount": 49.0}), ("required", "data.object.amount", "number")),
        (event(carried={**CHARGE, "amount": True}), ("required", "data.object.amount", "boolean")),
        (event(carried={**CHARGE, "amount": -1}), ("int64.gte", "data.object.amount", "number")),
        (event(carried={**CHARGE, "amount": 2**63}), ("required", "data.object.amount", "number")),
        (event(carried={**CHARGE, "currency": "USD"}), ("string.pattern", "data.object.currency", "string(3)")),
        (event(carried={**CHARGE, "currency": None}), ("string.pattern", "data.object.currency", "absent")),
        (event(carried={**CHARGE, "id": ""}), ("string.pattern", "data.object.id", "string(0)")),
        (
            event(carried={**CHARGE, "metadata": {"merchant_id": "m" * 129}}),
            ("string.max_len", "data.object.metadata.merchant_id", "string(129)"),
        ),
        (
            event("customer.created", {"metadata": {"merchant_id": 5}}),
            ("string.min_len", "data.object.metadata.merchant_id", "number"),
        ),
        (
            event("payment_intent.created", {**PAYMENT_INTENT, "charges": {"data": [without(CHARGE, "amount")]}}),
            ("required", "data.object.charges.data[0].amount", "absent"),
        ),
    ],
)
def test_a_broken_rule_is_told_with_its_place_in_the_body_and_the_shape_of_what_is_there(
    body: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert expected in dead(body)


def test_a_dead_webhook_is_told_by_its_own_id_where_it_has_one() -> None:
    result = decided(event(carried={}))
    assert (result.event_id, result.key) == ("stripe:evt_3PqrstUVwxyz", "stripe:evt_3PqrstUVwxyz")


def test_a_dead_webhook_keeps_the_body_and_the_envelope_but_repeats_no_value() -> None:
    body = orjson.dumps(event(carried={**CHARGE, "currency": "jane@example.com", "amount": "sesame"}))
    message: Any = decided(body).message
    assert (message.raw_body, message.provider_event_type) == (body, "charge.succeeded")
    assert message.api_version == "2025-04-30.basil"
    told = " ".join(f"{v.message} {v.redacted_value} {v.field_path}" for v in message.violations)
    assert "jane" not in told
    assert "sesame" not in told


def test_more_broken_rules_than_a_dead_letter_takes_are_cut() -> None:
    charge = dict.fromkeys(("amount", "amount_captured", "amount_refunded", "created"), -1)
    result = decided(event("payment_intent.created", {**PAYMENT_INTENT, "charges": {"data": [charge] * 20}}))
    assert len(result.rule_ids) == 100
    assert contract.broken_rules(result.message) == ()


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"charges": {"data": [{}] * 300_000}}, "dead"),
        ({"charges": {"data": [None] * 190_000}}, "accepted"),
        ({"charges": {"data": [CHARGE] * 800}}, "accepted"),
        ({"metadata": {f"k{number}": "v" for number in range(60_000)}}, "accepted"),
        ({"metadata": {f"k{number}": 1 for number in range(60_000)}}, "accepted"),
        ({f"k{number}": 1 for number in range(70_000)}, "accepted"),
    ],
)
def test_no_body_of_a_megabyte_keeps_the_process_busy(fields: dict[str, Any], outcome: str) -> None:
    """The first of them took 100 seconds and 4 GiB. Counted in calls, since a clock would measure the machine."""
    body = orjson.dumps(event("payment_intent.created", {**PAYMENT_INTENT, **fields}))
    assert len(body) <= 1_048_576
    decided(orjson.dumps(event("payment_intent.created", PAYMENT_INTENT)))
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        result = decided(body)
    finally:
        sys.setprofile(None)
    assert result.outcome == outcome
    assert calls < 20_000


def test_drift_is_reported_with_a_dead_webhook_too() -> None:
    drift = decided(event(carried={**CHARGE, "amount": "4900"})).drift
    assert Drift("type_change", "data.object.amount") in drift


@pytest.mark.skipif(not ENVELOPES.exists(), reason=f"no captured webhooks at {ENVELOPES}")
def test_every_captured_webhook_becomes_something_and_amounts_agree_with_the_bodies() -> None:
    outcomes = set()
    for path in ENVELOPES.glob("*.json"):
        body = path.read_bytes()
        result = decided(body)
        outcomes.add(result.outcome)
        if result.outcome == "accepted":
            carried = json.loads(body)["data"]["object"]
            message: Any = result.message
            decoded = getattr(message, carried["object"])
            assert (decoded.amount, decoded.currency) == (carried["amount"], carried["currency"])
    assert outcomes == {"accepted", "other", "dead"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=15,
)
names = st.sampled_from([*event(), "account", "status"])
carried_names = st.sampled_from([*CHARGE, *PAYMENT_INTENT, "metadata"])


def assert_publishable(result: Publish | Refuse) -> None:
    assert isinstance(result, Publish)
    assert type(result.message) is TOPICS[result.topic]
    assert contract.broken_rules(result.message) == ()
    assert result.key
    message: Any = result.message
    assert message.FromString(message.SerializeToString()) == message


@given(st.binary(max_size=300))
def test_any_bytes_become_a_valid_message(body: bytes) -> None:
    assert_publishable(handle(arrival(body), ENDPOINT))


@given(json_values)
def test_any_json_becomes_a_valid_message(body: object) -> None:
    assert_publishable(handle(arrival(json.dumps(body).encode()), ENDPOINT))


@given(
    event_type=st.sampled_from([*CONTRACTED, "customer.created"]),
    envelope=st.dictionaries(names, json_values, max_size=3),
    fields=st.dictionaries(carried_names, json_values, max_size=3),
)
def test_any_value_in_any_place_of_an_event_becomes_a_valid_message(
    event_type: str, envelope: dict[str, Any], fields: dict[str, Any]
) -> None:
    carried = {**CONTRACTED.get(event_type, {"object": "customer"}), **fields}
    assert_publishable(handle(arrival(json.dumps({**event(event_type, carried), **envelope}).encode()), ENDPOINT))
