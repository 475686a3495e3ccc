"""Rules are told without values."""

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.assessment_service_pb2 import AssessmentItem, AssessRequest
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyRequest
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook

from services.runtime import contract
from services.runtime.errors import Findings


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


def test_an_edge_tells_the_first_rules_and_how_many_there_are_besides() -> None:
    request = RecommendStrategyRequest()
    request.payment.previous_attempts.extend([Timestamp(seconds=8_000_000_000)] * 100)
    every, first = contract.broken_rules(request), contract.first_broken_rules(request)
    assert list(first.told) == list(every[: contract.MOST_TOLD])
    assert first.more == len(every) - contract.MOST_TOLD > 0


def test_an_edge_tells_all_rules_where_they_are_few_and_none_of_a_valid_message() -> None:
    broken = UnifiedPaymentEvent(event_id="nonsense")
    assert contract.first_broken_rules(broken) == Findings(list(contract.broken_rules(broken)), 0)
    assert contract.first_broken_rules(UnifiedPaymentEvent.FromString(b"")).told
    assert contract.first_broken_rules(Timestamp()) == Findings((), 0)


@pytest.mark.parametrize(
    "request_of_megabytes",
    [
        AssessRequest(items=[AssessmentItem(questions=["QUESTION_UNSPECIFIED"])] * 200_000),
        RecommendStrategyRequest(payment={"previous_attempts": [Timestamp(seconds=8_000_000_000)] * 200_000}),
    ],
)
def test_a_large_message_is_not_searched_for_every_broken_rule(request_of_megabytes: Message) -> None:
    """All violations of these take the engine many seconds to collect; the first takes it under a millisecond."""
    findings = contract.first_broken_rules(request_of_megabytes)
    assert len(findings.told) == 1
    assert findings.more is None


def test_a_value_is_never_repeated() -> None:
    secret = "hunter2"
    (broken, *_) = (
        r for r in contract.broken_rules(UnifiedPaymentEvent(event_id=secret)) if r.field_path == "event_id"
    )
    assert secret not in broken.message
    assert broken.redacted_value == "string(7)"


@pytest.mark.parametrize("code", ["card_declined", "charge.failed", "2fa", "x" * 64])
def test_what_looks_like_a_code_is_told(code: str) -> None:
    assert contract.code_or_size(code) == code


@pytest.mark.parametrize("text", ["", "jane@example.com", "4242 4242", "Visa", "x" * 65, "code\n"])
def test_of_any_other_text_only_the_size_is_told(text: str) -> None:
    assert contract.code_or_size(text) == f"string({len(text)})"


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
