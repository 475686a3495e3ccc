import re
from typing import cast

import pytest
from google.protobuf.descriptor import Descriptor
from hypothesis import given
from tidegate.inference.v1.churn_service_pb2 import PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import ScoreRequest
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanResponse

from services.inference.adapters import json_codec, openapi
from services.inference.adapters.openapi import Schema
from tests.unit.inference.strategies import payments

SCHEMAS = openapi.schemas(
    cast("Descriptor", message.DESCRIPTOR) for message in (ScoreRequest, PredictResponse, RecommendPlanResponse)
)
CONTEXT = SCHEMAS["tidegate.inference.v1.PaymentContext"]


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ("payment_id", {"type": "string", "minLength": 1, "maxLength": 220}),
        ("currency", {"type": "string", "pattern": "^[A-Z]{3}$"}),
        ("amount_cents", {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}),
        ("occurred_at", {"type": "string", "format": "date-time"}),
        ("card_exp_month", {"type": "integer", "format": "int32", "minimum": 1, "maximum": 12}),
        ("recurring", {"type": "boolean"}),
        (
            "previous_attempts",
            {"type": "array", "items": {"type": "string", "format": "date-time"}, "maxItems": 200},
        ),
        (
            "previous_attempts_other_amounts",
            {"type": "array", "items": {"type": "string", "format": "date-time"}, "maxItems": 200},
        ),
    ],
)
def test_a_field_has_the_rules_of_its_contract(field: str, schema: Schema) -> None:
    assert CONTEXT["properties"][field] == schema


def test_required_is_what_the_contract_requires() -> None:
    assert CONTEXT["required"] == ["payment_id", "merchant_id", "occurred_at"]


def test_an_enum_lists_the_values_that_the_contract_allows() -> None:
    names = CONTEXT["properties"]["decline_class"]["enum"]
    assert "DECLINE_CLASS_HARD" in names
    assert "DECLINE_CLASS_UNSPECIFIED" not in names


def test_every_message_inside_another_has_a_schema() -> None:
    referenced = set(re.findall(r"#/components/schemas/([\w.]+)", str(SCHEMAS)))
    assert referenced
    assert referenced <= SCHEMAS.keys()


@given(asked=payments())
def test_no_field_of_a_written_message_is_missing_from_its_schema(asked: PaymentContext) -> None:
    written = json_codec.write(asked).decode()
    keys = set(re.findall(r'"(\w+)":', written))
    assert keys <= CONTEXT["properties"].keys()
