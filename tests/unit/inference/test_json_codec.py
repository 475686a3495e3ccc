import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.inference.v1.churn_service_pb2 import PredictRequest
from tidegate.inference.v1.fraud_service_pb2 import ScoreRequest
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyResponse

from services.inference.adapters import json_codec
from services.inference.adapters.json_codec import MalformedJsonError
from services.runtime import contract
from services.runtime.errors import BrokenRule, ContractViolationError
from tests.unit.inference.contexts import AT, declined, handler, payment
from tests.unit.inference.strategies import payments

PAYMENT = {
    "payment_id": "pi_1",
    "merchant_id": "acct_1",
    "amount_cents": 1999,
    "currency": "USD",
    "occurred_at": "2026-11-01T12:00:00Z",
}


def violations(document: object) -> tuple[BrokenRule, ...]:
    with pytest.raises(ContractViolationError) as caught:
        json_codec.read(json.dumps(document).encode(), ScoreRequest)
    return caught.value.broken


def test_a_body_with_the_contract_s_own_names_is_read() -> None:
    request = json_codec.read(json.dumps({"payment": PAYMENT}).encode(), ScoreRequest)
    assert (request.payment.payment_id, request.payment.amount_cents) == ("pi_1", 1999)


def test_a_body_with_protobuf_json_names_and_a_64_bit_string_is_read() -> None:
    camel = {
        "paymentId": "pi_1",
        "merchantId": "acct_1",
        "amountCents": "1999",
        "currency": "USD",
        "occurredAt": "2026-11-01T12:00:00Z",
    }
    body = json.dumps({"payment": camel, "horizonDays": 60}).encode()
    request = json_codec.read(body, PredictRequest)
    assert (request.payment.amount_cents, request.horizon_days) == (1999, 60)


def test_an_unknown_field_is_named_with_the_one_that_was_probably_meant() -> None:
    (found,) = violations({"payment": {**PAYMENT, "card_brnd": "visa"}})
    assert (found.rule_id, found.field_path) == ("json.unknown_field", "payment.card_brnd")
    assert found.message.endswith("did you mean card_brand?")


def test_every_unknown_field_is_named() -> None:
    found = violations({"payment": {**PAYMENT, "one": 1, "two": 2}, "three": 3})
    assert [rule.field_path for rule in found] == ["payment.one", "payment.two", "three"]


def test_no_more_unknown_fields_are_looked_for_than_a_person_reads() -> None:
    with pytest.raises(ContractViolationError) as caught:
        json_codec.read(json.dumps({"payment": {f"card_bran{n}": n for n in range(8_200)}}).encode(), ScoreRequest)
    assert len(caught.value.broken) == contract.MOST_TOLD
    assert caught.value.more is None


def test_names_are_guessed_for_short_keys_only() -> None:
    """A guess takes time in the length of the key: 10 ms for one of 10,000 characters near a field's name."""
    (found,) = violations({"payment": {**PAYMENT, "previous_attempts_other_amounts" + "s" * 10: 1}})
    assert "did you mean" not in found.message


@pytest.mark.parametrize("depth", [1, 600, 1000, 1020])
@pytest.mark.parametrize(
    ("opening", "closing", "path"),
    [
        ('{"payment":' + "[", "]" + "}", "payment"),
        ('{"payment":{"merchant_id":' + "[", "]" + "}}", "payment.merchant_id"),
        ('{"payment":{"occurred_at":' + "[", "]" + "}}", "payment.occurred_at"),
        ('{"payment":{"previous_attempts":[' + "[", "]" + "]}}", "payment.previous_attempts[0]"),
    ],
)
def test_what_is_nested_deeper_than_the_contract_is_of_the_wrong_type(
    depth: int, opening: str, closing: str, path: str
) -> None:
    body = opening[:-1] + "[" * depth + "]" * depth + closing[1:]
    with pytest.raises(ContractViolationError) as caught:
        json_codec.read(body.encode(), ScoreRequest)
    (found,) = caught.value.broken
    assert (found.rule_id, found.field_path) == ("json.wrong_type", path)


def test_what_is_nested_deeper_than_the_parser_goes_is_malformed() -> None:
    with pytest.raises(MalformedJsonError):
        json_codec.read(b'{"payment":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ScoreRequest)


def test_many_broken_values_are_told_by_the_first() -> None:
    found = violations({"payment": {**PAYMENT, "previous_attempts": ["2400-01-01T00:00:00Z"] * 150}})
    assert len(found) == contract.MOST_TOLD


_KEYS = st.sampled_from(["payment", "horizonDays", "other", *PaymentContext.DESCRIPTOR.fields_by_name])
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["9" * 5000, "2026-11-01T12:00:00Z", "PROVIDER_STRIPE", "1e999", "0x1F"])
)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)


@given(payment=_VALUES, horizon=_VALUES)
def test_any_json_is_read_or_refused(payment: object, horizon: object) -> None:
    """Nothing a caller sends makes the codec fail in a way that it does not name."""
    body = json.dumps({"payment": payment, "horizon_days": horizon}).encode()
    with contextlib.suppress(ContractViolationError, MalformedJsonError):
        json_codec.read(body, PredictRequest)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("amount_cents", "nineteen", "a 64-bit integer"),
        ("amount_cents", 19.99, "a 64-bit integer"),
        ("merchant_id", 7, "a string"),
        ("recurring", "yes", "true or false"),
        ("provider", "PROVIDER_ACME", "PROVIDER_STRIPE"),
        ("occurred_at", "yesterday", "google.protobuf.Timestamp"),
        ("previous_attempts", "yesterday", "google.protobuf.Timestamp"),
        ("card_exp_month", 2**40, "a 32-bit integer"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_by_field_and_type_and_never_repeated(
    field: str, value: object, message: str
) -> None:
    (found,) = violations({"payment": {**PAYMENT, field: value}})
    assert (found.rule_id, found.field_path) == ("json.wrong_type", f"payment.{field}")
    assert message in found.message
    assert str(value) not in found.message


def test_a_payment_that_is_no_object_is_of_the_wrong_type() -> None:
    (found,) = violations({"payment": 7})
    assert (found.rule_id, found.field_path) == ("json.wrong_type", "payment")


def test_broken_rules_of_the_contract_are_told_with_their_ids() -> None:
    found = violations({"payment": {**PAYMENT, "currency": "usd", "merchant_id": ""}})
    assert {(rule.field_path, rule.rule_id) for rule in found} == {
        ("payment.merchant_id", "string.min_len"),
        ("payment.currency", "string.pattern"),
    }


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"payment": NaN}', b"\xff\xfe"])
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJsonError):
        json_codec.read(body, ScoreRequest)


def test_an_answer_is_written_with_the_contract_s_names_and_its_zeros() -> None:
    written = json.loads(json_codec.write(handler().recommend([declined("stolen_card")], AT)[0]))
    assert written["attempts_left"] == 0
    assert written["provenance"]["fallback"] is True
    assert "retry_at" not in written
    assert "success_probability" not in written


@given(asked=payments())
def test_a_request_survives_the_way_through_json(asked: PaymentContext) -> None:
    request = ScoreRequest(payment=asked)
    assert json_codec.read(json_codec.write(request), ScoreRequest) == request


@given(asked=payments())
def test_an_answer_survives_the_way_through_json(asked: PaymentContext) -> None:
    answer = handler().recommend([asked], AT)[0]
    assert json_codec.read(json_codec.write(answer), RecommendStrategyResponse) == answer


def test_a_key_that_is_far_too_long_is_cut() -> None:
    (found,) = violations({"payment": {**PAYMENT, "x" * 10_000: 1}})
    assert len(found.field_path) < 100


def test_a_request_without_a_payment_breaks_the_rule_that_wants_one() -> None:
    assert [rule.rule_id for rule in violations({})] == ["required"]
    assert payment().HasField("occurred_at")
