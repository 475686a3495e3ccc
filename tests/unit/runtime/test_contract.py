"""Rules are told without values."""

from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook

from services.runtime import contract


def test_every_broken_rule_has_an_id_a_path_and_words() -> None:
    broken = contract.broken_rules(UnifiedPaymentEvent(event_id="nonsense"))
    assert {"event_id", "merchant_id", "currency", "provider_created_at"} <= {rule.field_path for rule in broken}
    assert all(rule.rule_id and rule.message for rule in broken)


def test_a_path_shows_the_index_of_a_list_and_no_key_of_a_map() -> None:
    webhook = PaymentIntentWebhook()
    webhook.payment_intent.charges.data.add()
    webhook.payment_intent.charges.data.add()
    paths = {rule.field_path for rule in contract.broken_rules(webhook)}
    assert "payment_intent.charges.data[1].id" in paths


def test_a_value_is_never_repeated() -> None:
    secret = "hunter2"
    (broken, *_) = (
        r for r in contract.broken_rules(UnifiedPaymentEvent(event_id=secret)) if r.field_path == "event_id"
    )
    assert secret not in broken.message
    assert broken.redacted_value == "string(7)"


def test_redaction_tells_type_and_size() -> None:
    values = (None, True, 12, 1.5, "abc", b"ab", [1, 2], {"a": 1})
    assert [contract.redact(value) for value in values] == [
        "absent",
        "boolean",
        "number",
        "number",
        "string(3)",
        "bytes(2)",
        "array(2)",
        "object",
    ]
