"""An amount is stated: none at all is no zero."""

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from codegen.image import PROTO
from services.runtime.contract import broken_rules

EXAMPLES = PROTO / "examples"


def event() -> UnifiedPaymentEvent:
    path = EXAMPLES / "payments.normalized" / "charge-succeeded.json"
    return json_format.Parse(path.read_text(), UnifiedPaymentEvent())


def decision() -> PaymentDecision:
    path = EXAMPLES / "payments.decisions" / "approve.json"
    return json_format.Parse(path.read_text(), PaymentDecision())


@pytest.mark.parametrize("message", [event(), decision()], ids=["event", "decision"])
def test_an_amount_is_required_and_zero_is_one(message: Message) -> None:
    message.ClearField("amount_cents")
    assert [(rule.rule_id, rule.field_path) for rule in broken_rules(message)] == [("required", "amount_cents")]
    message.amount_cents = 0  # type: ignore[attr-defined]  # both have it
    assert not broken_rules(message)
    again = type(message).FromString(message.SerializeToString())
    assert not broken_rules(again)
    message.amount_cents = -1  # type: ignore[attr-defined]
    assert [rule.rule_id for rule in broken_rules(message)] == ["int64.gte"]
