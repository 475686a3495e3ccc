"""Which models are asked about an event, and what they are told."""

import pytest
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    AssessmentItem,
)
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.runtime import contract
from tests.fakes.payments import failed, refunded, succeeded
from workflows.payment_event.questions import assessment_item, payment_context, questions_about


@pytest.mark.parametrize(
    ("event", "questions"),
    [
        (succeeded(), {QUESTION_FRAUD, QUESTION_CHURN}),
        (succeeded(customer_id=None), {QUESTION_FRAUD}),
        (failed(), {QUESTION_FRAUD, QUESTION_RETRY, QUESTION_RECOVERY, QUESTION_CHURN}),
        (failed(customer_id=None), {QUESTION_FRAUD, QUESTION_RETRY, QUESTION_RECOVERY}),
        (succeeded(event_type="dispute.created"), {QUESTION_CHURN}),
    ],
)
def test_questions_follow_from_what_happened_and_whether_the_customer_is_known(
    event: UnifiedPaymentEvent, questions: set[int]
) -> None:
    assert set(questions_about(event)) == questions


def test_nobody_is_asked_about_a_guests_refund() -> None:
    assert assessment_item(refunded()) is None


@pytest.mark.parametrize("event", [succeeded(), failed(), failed(invoice_id="in_1", card_exp_month=2)])
def test_a_question_keeps_its_contract(event: UnifiedPaymentEvent) -> None:
    item = assessment_item(event)
    assert isinstance(item, AssessmentItem)
    contract.check(item)


def test_the_models_are_told_the_time_of_the_event_and_what_is_known_of_the_card() -> None:
    event = failed(invoice_id="in_1", network_decline_code="51", card_exp_year=2031)
    context = payment_context(event)
    assert context.occurred_at == event.provider_created_at
    assert context.recurring
    assert (context.network_decline_code, context.card_exp_year) == ("51", 2031)
    assert (context.amount_cents, context.currency) == (2000, "USD")
    assert not context.HasField("card_exp_month")


def test_every_field_that_event_and_context_share_is_passed_on() -> None:
    shared = {field.name for field in PaymentContext.DESCRIPTOR.fields} & {
        field.name for field in UnifiedPaymentEvent.DESCRIPTOR.fields
    }
    event = failed(
        card_country="DE",
        card_funding="debit",
        card_exp_month=2,
        card_exp_year=2031,
        network_decline_code="51",
        network_advice_code="03",
        provider_advice_code="do_not_try_again",
        provider_risk_score=80,
    )
    context = payment_context(event)
    assert {name for name in shared if getattr(context, name) == getattr(event, name)} == shared
