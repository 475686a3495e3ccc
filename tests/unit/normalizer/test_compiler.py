"""What the rows of a table come to, whatever provider they are for."""

from dataclasses import replace
from typing import Any, cast

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntent

from services.normalizer.compiler import compile_mapping, compile_rows
from services.normalizer.mappings.stripe import MAPPINGS
from services.normalizer.table import Amount, Number, ObjectMapping, Part, Row, Text, source_paths

INTENT = cast("Descriptor", PaymentIntent.DESCRIPTOR)


def written(*rows: Row, **values: Any) -> UnifiedPaymentEvent:
    event = UnifiedPaymentEvent()
    compile_rows(rows, INTENT)(PaymentIntent(**values), event)
    return event


def test_the_first_source_that_is_present_wins() -> None:
    row = Text("reason", ("cancellation_reason", "customer", "invoice"))
    assert written(row, cancellation_reason="null", customer="cus_1", invoice="in_1").reason == "cus_1"


def test_an_absent_text_stays_absent() -> None:
    assert not written(Text("reason", ("cancellation_reason",)), cancellation_reason="None").HasField("reason")


def test_a_text_is_spelled_as_its_row_says() -> None:
    assert written(Text("reason", ("customer",), str.upper), customer=" cus_1 ").reason == "CUS_1"


def test_a_spelling_that_says_nothing_lets_the_next_source_speak() -> None:
    only_cards = {"card": "card"}.get
    row = Text("payment_method_type", ("payment_method", "capture_method"), only_cards)
    assert written(row, payment_method="source", capture_method="card").payment_method_type == "card"


def test_the_first_of_a_list_is_read_and_an_empty_list_is_absence() -> None:
    charge = "charges.data[0]"
    rows = (Text("reason", (f"{charge}.outcome.reason",)), Number("card_exp_year", (f"{charge}.source.exp_year",)))
    two = {"data": [{"outcome": {"reason": "first"}, "source": {"exp_year": 2030}}, {"outcome": {"reason": "second"}}]}
    event = written(*rows, charges=two)
    assert (event.reason, event.card_exp_year) == ("first", 2030)
    empty = written(*rows)
    assert not empty.HasField("reason")
    assert not empty.HasField("card_exp_year")


@pytest.mark.parametrize(("types", "kept"), [(["card"], "card"), (["card", "link"], ""), ([], "")])
def test_an_element_counts_only_where_it_stands_alone(types: list[str], kept: str) -> None:
    row = Text("payment_method_type", ("payment_method_types[only]",))
    assert written(row, payment_method_types=types).payment_method_type == kept


def test_a_zero_is_a_number_and_no_number_is_absence() -> None:
    row = Number("provider_risk_score", ("charges.data[0].outcome.risk_score",))
    assert written(row, charges={"data": [{"outcome": {"risk_score": 0}}]}).HasField("provider_risk_score")
    assert not written(row, charges={"data": [{"outcome": {}}]}).HasField("provider_risk_score")


def test_a_part_is_read_from_one_message_and_never_from_two() -> None:
    part = Part(
        ("last_payment_error.payment_method.card", "charges.data[0].payment_method_details.card"),
        (Text("card_brand", ("brand",)), Text("card_last_four", ("last4",))),
    )
    charges = {"data": [{"payment_method_details": {"card": {"brand": "visa", "last4": "4242"}}}]}
    event = written(part, last_payment_error={"payment_method": {"card": {"brand": "jcb"}}}, charges=charges)
    assert (event.card_brand, event.card_last_four) == ("jcb", "")
    assert written(part, charges=charges).card_last_four == "4242"


@pytest.mark.parametrize(
    "row",
    [
        Text("reason", ("no_such_field",)),
        Text("no_such_target", ("customer",)),
        Text("reason", ("last_payment_error.no_such_field",)),
        Number("card_exp_year", ("charges.data[0].no_such_field",)),
        Part(("last_payment_error.payment_method.card",), (Text("reason", ("no_such_field",)),)),
    ],
)
def test_a_name_that_no_contract_has_is_refused_when_compiled(row: Row) -> None:
    with pytest.raises(ValueError, match="no field"):
        compile_rows([row], INTENT)


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.object_field)
@pytest.mark.parametrize("amount", [Amount("amount_cents", "no_such_field"), Amount("no_such_target", "amount")])
def test_an_amount_that_no_contract_has_is_refused_when_compiled(mapping: ObjectMapping, amount: Amount) -> None:
    with pytest.raises(ValueError, match="no field"):
        compile_mapping(replace(mapping, rows=(*mapping.rows, amount)), {}, {})


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.object_field)
def test_every_unified_field_of_a_table_can_be_told_in_the_providers_words(mapping: ObjectMapping) -> None:
    paths = source_paths(mapping)
    webhook = mapping.webhook()
    event, _ = compile_mapping(mapping, {}, {})(webhook, Timestamp())
    assert paths.keys() <= {field.name for field in event.DESCRIPTOR.fields}
    assert all(path.startswith("data.object.") or path in {"id", "type", "created"} for path in paths.values())
