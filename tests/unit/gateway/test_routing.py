"""Which contract takes which event, and where things stand in a body, comes from the contracts alone."""

from pathlib import Path

import pytest
import yaml

from services.gateway import handler
from services.gateway.providers import stripe
from services.gateway.providers.stripe import Merchant

TOPICS = Path(__file__).parents[3] / "proto/topics"


def test_the_topics_written_are_those_declared_for_the_gateway_with_their_messages() -> None:
    declared = {path.stem: yaml.safe_load(path.read_text()) for path in TOPICS.glob("*.yaml")}
    ours = {name: topic["message"] for name, topic in declared.items() if topic["producer"] == "gateway"}
    assert {name: str(message.DESCRIPTOR.full_name) for name, message in handler.TOPICS.items()} == ours


def test_every_event_type_of_a_contract_is_routed_to_it() -> None:
    routed = {(kind, to.object_type) for kind, contracts in stripe.ROUTES.items() for to in contracts.values()}
    listed = {(kind, to.object_type) for to in stripe.CONTRACTS for kind in to.event_types}
    assert routed == listed
    assert len(listed) > 20


def test_a_refund_event_can_carry_a_charge_or_a_refund() -> None:
    assert set(stripe.ROUTES["charge.refunded"]) == {"charge", "refund"}


@pytest.mark.parametrize(
    ("field_path", "body_path"),
    [
        ("event.id", "id"),
        ("event.request.id", "request.id"),
        ("event", ""),
        ("charge.amount", "data.object.amount"),
        ("charge.payment_method_details.card.last4", "data.object.payment_method_details.card.last4"),
        ("charge", "data.object"),
        ("type", "type"),
        ("merchant_id", "account"),
    ],
)
def test_a_contracts_field_is_found_in_the_body(field_path: str, body_path: str) -> None:
    assert stripe.ROUTES["charge.succeeded"]["charge"].body_path(field_path, "account") == body_path


@pytest.mark.parametrize(
    ("body", "carried", "expected"),
    [
        ({"account": "acct_1"}, {"metadata": {"merchant_id": "m1"}}, Merchant("acct_1", "account")),
        ({}, {"metadata": {"merchant_id": "m1"}}, Merchant("m1", "data.object.metadata.merchant_id")),
        ({"account": None}, {"metadata": {"merchant_id": ""}}, Merchant("shop", "account")),
        ({}, {"metadata": {}}, Merchant("shop", "account")),
        ({}, {"metadata": None}, Merchant("shop", "account")),
        ({}, {}, Merchant("shop", "account")),
    ],
)
def test_the_merchant_is_the_account_else_the_metadatas_else_the_default(
    body: dict[str, object], carried: dict[str, object], expected: Merchant
) -> None:
    assert stripe.merchant(body, carried, "shop") == expected


@pytest.mark.parametrize(
    ("body", "carried", "path"),
    [
        ({"account": 7}, {"metadata": {"merchant_id": "m1"}}, "account"),
        ({"account": {"id": "acct_1"}}, {}, "account"),
        ({}, {"metadata": {"merchant_id": 7}}, "data.object.metadata.merchant_id"),
    ],
)
def test_a_merchant_that_is_no_text_falls_through_to_nobody(
    body: dict[str, object], carried: dict[str, object], path: str
) -> None:
    assert stripe.merchant(body, carried, "shop") == Merchant("", path)


@pytest.mark.parametrize(
    "body", [{}, {"id": None}, {"id": 7}, {"id": "ch_1"}, {"id": "evt_1\n"}, {"id": "evt_"}, None, []]
)
def test_an_event_id_that_the_contract_would_refuse_is_none(body: object) -> None:
    assert stripe.event_id(body) is None
