"""The decoder takes what the contract names and fits, and reports the rest as drift."""

import json
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from tidegate.ingress.v1.receipt_pb2 import Receipt
from tidegate.stripe.v1.charge_pb2 import Charge
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntent

from services.gateway.decoder import Drift, MessageDecoder
from services.gateway.providers import stripe
from tests.unit.gateway.events import CHARGE, CONTRACTED, PAYMENT_INTENT, event

ENVELOPES = Path(__file__).parents[4] / "shared/data/stripe/envelopes"
STRUCTURAL = frozenset({"object"})


def decoder_of(message_type: type[Message], at: str = "") -> MessageDecoder:
    return MessageDecoder(cast("Descriptor", message_type.DESCRIPTOR), at=at, structural=STRUCTURAL)


charges = decoder_of(Charge)
payment_intents = decoder_of(PaymentIntent, at="data.object.")


def decoded(value: dict[str, Any]) -> tuple[Charge, list[Drift]]:
    drift: list[Drift] = []
    return Charge(**charges(value, drift)), drift


def captured() -> list[Any]:
    if not ENVELOPES.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no captured webhooks at {ENVELOPES}"))]
    return [pytest.param(path, id=path.stem) for path in sorted(ENVELOPES.glob("*.json"))]


def assert_like_protobufs_own(body: dict[str, Any]) -> None:
    """Protobuf's own parser, which is more lenient but slower, reads the same message from a body without drift."""
    contracts = stripe.ROUTES.get(body["type"], {})
    carried = body["data"]["object"]
    contract = contracts.get(carried.get("object"))
    if contract is None:
        return
    drift: list[Drift] = []
    fields: dict[str, Any] = {contract.object_type: contract.decode_object(carried, drift)}
    ours = contract.message_type(event=stripe.decode_event(body, drift), **fields)
    theirs: Message = contract.message_type()
    envelope = {name: value for name, value in body.items() if name not in {"data", "type"}}
    as_message = {"event": envelope, contract.object_type: carried}
    json_format.ParseDict(as_message, theirs, ignore_unknown_fields=True)
    assert [d for d in drift if d.kind == "type_change"] == []
    assert ours == theirs


@pytest.mark.parametrize("event_type", CONTRACTED)
def test_own_bodies_decode_as_with_protobufs_own_parser(event_type: str) -> None:
    assert_like_protobufs_own(event(event_type, CONTRACTED[event_type]))


@pytest.mark.parametrize("path", captured())
def test_captured_bodies_decode_as_with_protobufs_own_parser(path: Path) -> None:
    assert_like_protobufs_own(json.loads(path.read_bytes()))


def test_unknown_names_are_reported_with_their_path_and_not_looked_into() -> None:
    drift: list[Drift] = []
    payment_intents({**PAYMENT_INTENT, "novelty": {"amount": "x", "deep": {"deeper": 1}}}, drift)
    assert Drift("unknown_field", "data.object.novelty") in drift
    assert not any("deep" in one.field_path for one in drift)


def test_the_elements_of_a_list_are_one_place() -> None:
    drift: list[Drift] = []
    payment_intents({"charges": {"data": [{"novelty": 1}, {"novelty": 2}]}}, drift)
    assert drift == [Drift("unknown_field", "data.object.charges.data[].novelty")] * 2


def test_a_name_that_no_api_would_use_is_not_told() -> None:
    assert decoded({"jane@example.com": 1})[1] == [Drift("unknown_field", "(odd name)")]


def test_structural_names_are_no_drift() -> None:
    assert decoded({"object": "charge", "outcome": {"object": "outcome"}})[1] == []


@pytest.mark.parametrize(
    "amount", [10.0, 1e3, "10", True, [10], {"amount": 10}, 2**63, -(2**63) - 1, float("1e300"), ""]
)
def test_money_is_taken_from_integers_in_range_alone(amount: object) -> None:
    message, drift = decoded({"amount": amount})
    assert not message.HasField("amount")
    assert drift == [Drift("type_change", "amount")]


@pytest.mark.parametrize("amount", [0, -1, 10, 2**63 - 1, -(2**63)])
def test_integers_in_range_are_taken_as_they_are(amount: int) -> None:
    message, drift = decoded({"amount": amount})
    assert (message.amount, drift) == (amount, [])


@pytest.mark.parametrize("written", [b"10.0", b"1e1", b"1E1", b"18446744073709551616", b"9223372036854775808"])
def test_a_number_is_judged_by_how_it_is_written(written: bytes) -> None:
    message, drift = decoded(orjson.loads(b'{"amount": %b}' % written))
    assert not message.HasField("amount")
    assert drift == [Drift("type_change", "amount")]


def test_null_and_absent_are_both_unset() -> None:
    message, drift = decoded({"amount": None, "outcome": None, "metadata": None, "customer": None})
    assert (message, drift) == (Charge(), [])


@pytest.mark.parametrize(
    ("field", "value"), [("paid", 1), ("paid", "true"), ("currency", 840), ("customer", {"id": "c"})]
)
def test_another_type_leaves_the_field_unset(field: str, value: object) -> None:
    message, drift = decoded({field: value})
    assert (message, drift) == (Charge(), [Drift("type_change", field)])


@pytest.mark.parametrize("value", ["x", 1, [], True])
def test_another_type_for_an_object_leaves_it_unset(value: object) -> None:
    message, drift = decoded({"outcome": value})
    assert (message, drift) == (Charge(), [Drift("type_change", "outcome")])


def test_an_empty_object_is_present() -> None:
    assert decoded({"outcome": {}})[0].HasField("outcome")


def test_a_small_integer_field_has_its_own_range() -> None:
    message, drift = decoded({"outcome": {"risk_score": 2**31}})
    assert not message.outcome.HasField("risk_score")
    assert drift == [Drift("type_change", "outcome.risk_score")]


def test_entries_of_a_map_that_do_not_fit_are_left_out_without_telling_their_keys() -> None:
    message, drift = decoded({"metadata": {"a": "1", "jane": 2, "c": None, "d": ["x"]}})
    assert dict(message.metadata) == {"a": "1"}
    assert drift == [Drift("type_change", "metadata{}")] * 3


def test_elements_of_a_list_that_do_not_fit_are_left_out() -> None:
    drift: list[Drift] = []
    fields = payment_intents({"payment_method_types": ["card", 3, None, "link"]}, drift)
    assert fields == {"payment_method_types": ["card", "link"]}
    assert drift == [Drift("type_change", "data.object.payment_method_types[]")] * 2


def test_of_a_long_list_or_map_the_first_are_read_and_the_rest_is_drift() -> None:
    drift: list[Drift] = []
    metadata = {f"k{number}": str(number) for number in range(101)}
    body = {
        "charges": {"data": [{"amount": number} for number in range(21)]},
        "payment_method_types": [str(number) for number in range(101)],
        "metadata": metadata,
    }
    assert payment_intents(body, drift) == {
        "charges": {"data": [{"amount": number} for number in range(20)]},
        "payment_method_types": [str(number) for number in range(100)],
        "metadata": dict(list(metadata.items())[:100]),
    }
    assert drift == [
        Drift("not_read", "data.object.charges.data[](more)"),
        Drift("not_read", "data.object.payment_method_types[](more)"),
        Drift("not_read", "data.object.metadata{}(more)"),
    ]


def test_a_list_and_a_map_of_just_the_bound_are_read_whole() -> None:
    drift: list[Drift] = []
    metadata = {f"k{number}": str(number) for number in range(100)}
    fields = payment_intents({"charges": {"data": [{"amount": 1}] * 20}, "metadata": metadata}, drift)
    assert (len(fields["charges"]["data"]), fields["metadata"], drift) == (20, metadata, [])


def test_among_very_many_names_the_contracts_are_read_and_the_first_others_told() -> None:
    message, drift = decoded({**{f"x{number}": 1 for number in range(100_000)}, "amount": 10, "paid": 1})
    assert message.amount == 10
    assert Drift("type_change", "paid") in drift
    assert Drift("not_read", "(more)") in drift
    assert Drift("unknown_field", "x0") in drift
    assert len(drift) < 300


def test_unknown_names_of_one_body_are_told_up_to_a_bound() -> None:
    drift: list[Drift] = []
    elements = [{"amount": number, **{f"x{number}_{n}": 1 for n in range(250)}} for number in range(20)]
    fields = payment_intents({"charges": {"data": elements}}, drift)
    assert [charge["amount"] for charge in fields["charges"]["data"]] == list(range(20))
    assert len(drift) < 1_000


@pytest.mark.parametrize("value", ["card", {"0": "card"}, 1])
def test_another_type_for_a_list_leaves_it_empty(value: object) -> None:
    drift: list[Drift] = []
    assert payment_intents({"payment_method_types": value}, drift) == {}
    assert drift == [Drift("type_change", "data.object.payment_method_types")]


def test_of_a_name_that_appears_twice_the_last_counts() -> None:
    assert decoded(orjson.loads(b'{"amount": 1, "amount": 2}'))[0].amount == 2


def test_more_shapes_than_are_remembered_decode_alike() -> None:
    for number in range(600):
        message, drift = decoded({f"x{number}": 1, "amount": number})
        assert (message.amount, drift) == (number, [Drift("unknown_field", f"x{number}")])


def test_what_is_remembered_of_bodies_is_bounded() -> None:
    decoder = decoder_of(Charge)
    for number in range(1_000):
        decoder({f"x{number}": 1}, [])
    decoder({f"y{number}": 1 for number in range(10_000)}, [])
    assert sum(len(names) for names in decoder._plans) <= 1_000


field_names = st.sampled_from(
    [field.name for field in (*Charge.DESCRIPTOR.fields, *PaymentIntent.DESCRIPTOR.fields)]
    + ["data", "card", "risk_score"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | field_names, inner, max_size=6),
    max_leaves=30,
)


@given(value=st.dictionaries(field_names, json_values, max_size=12))
def test_no_json_crashes_the_decoder_and_all_it_takes_fits_the_message(value: dict[str, Any]) -> None:
    for decoder, message_type in ((charges, Charge), (payment_intents, PaymentIntent)):
        drift: list[Drift] = []
        message_type(**decoder(value, drift))
        assert all(one.kind in {"unknown_field", "type_change", "not_read"} for one in drift)


@given(
    amount=st.integers(0, 2**63 - 1), metadata=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=5)
)
def test_what_fits_survives_the_way_through_json(amount: int, metadata: dict[str, str]) -> None:
    body = orjson.loads(orjson.dumps({**CHARGE, "amount": amount, "metadata": metadata}))
    message, _ = decoded(body)
    assert message.amount == amount
    assert dict(message.metadata) == metadata


def test_a_contract_with_fields_of_no_agreed_json_form_is_refused_at_start() -> None:
    with pytest.raises(TypeError, match=r"received_at|provider"):
        decoder_of(Receipt)


def test_a_contract_that_contains_itself_is_refused_at_start() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="loop.proto", package="loop", syntax="proto3")
    field = file.message_type.add(name="Node").field.add(name="next", number=1, label=1, type=11)
    field.type_name = ".loop.Node"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())  # type: ignore[no-untyped-call]  # typed nowhere
    descriptor = pool.FindMessageTypeByName("loop.Node")  # type: ignore[no-untyped-call]  # typed nowhere
    with pytest.raises(TypeError, match="contains itself"):
        decoder_of(message_factory.GetMessageClass(descriptor))
