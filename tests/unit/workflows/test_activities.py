"""Steps hand lists of one to their ports, and turn a refusal into an error that is not tried again."""

import pytest

from services.orchestrator.rulebook import Rulebook
from tests.fakes.payments import failure, recorded, succeeded
from tests.fakes.scoring import FakeScoring
from tests.fakes.storage import FakeDecisionStore, FakeQuarantine, FakeRules
from workflows.dlq_review.activities import DlqReviewActivities
from workflows.dlq_review.contract import DlqReviewInput
from workflows.errors import RecordRefusedError
from workflows.payment_event.activities import PaymentEventActivities
from workflows.payment_event.contract import (
    PERSIST_OUTCOME_DUPLICATE,
    PERSIST_OUTCOME_STORED,
    AssessPaymentInput,
    ValidateBusinessRulesInput,
)
from workflows.payment_event.questions import assessment_item


def steps(rulebook: Rulebook | None = None) -> PaymentEventActivities:
    return PaymentEventActivities(FakeRules(rulebook or Rulebook()), FakeScoring(), FakeDecisionStore())


async def test_broken_rules_are_handed_back() -> None:
    rulebook = Rulebook(blocklist={("card_fingerprint", "fp_ada", "acct_shop")})
    result = await steps(rulebook).validate_business_rules(ValidateBusinessRulesInput(event=succeeded()))
    assert [hit.rule_id for hit in result.rule_hits] == ["blocklist.card_fingerprint"]


async def test_the_models_answers_are_handed_back() -> None:
    result = await steps().assess_payment(AssessPaymentInput(item=assessment_item(succeeded())))
    assert result.assessment.HasField("fraud")
    assert result.assessment.HasField("churn")


async def test_persisting_twice_stores_once() -> None:
    activities = steps()
    assert (await activities.persist_decision(recorded())).outcome == PERSIST_OUTCOME_STORED
    assert (await activities.persist_decision(recorded())).outcome == PERSIST_OUTCOME_DUPLICATE


async def test_a_refused_record_is_an_error_that_names_the_rule() -> None:
    with pytest.raises(RecordRefusedError, match="payment_events_amount_cents_check"):
        await steps().persist_decision(recorded(succeeded(amount_cents=-1)))


async def test_a_failure_is_kept() -> None:
    quarantine = FakeQuarantine()
    result = await DlqReviewActivities(quarantine).quarantine_failure(DlqReviewInput(failure=failure()))
    assert (result.event_id, result.outcome) == ("stripe:evt_1", PERSIST_OUTCOME_STORED)
    assert list(quarantine.kept) == ["stripe:evt_1"]
