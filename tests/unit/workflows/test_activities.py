"""Steps hand lists of one to their ports, and turn a refusal into an error that is not tried again."""

from datetime import UTC, timedelta

import pytest
from tidegate.decisions.v1.payment_decision_pb2 import DECISION_ACTION_APPROVE, DECISION_ACTION_REVIEW
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.rulebook import Rulebook
from services.runtime.clock import FrozenClock, timestamp
from tests.fakes.payments import failed, failure, recorded, succeeded
from tests.fakes.scoring import FakeScoring
from tests.fakes.storage import FakeAttempts, FakeDecisionStore, FakeQuarantine, FakeRules
from tests.fakes.times import NOW
from workflows.dlq_review.activities import DlqReviewActivities
from workflows.dlq_review.contract import DlqReviewInput
from workflows.errors import AttemptsUnavailableError, RecordRefusedError
from workflows.payment_event.activities import PaymentEventActivities
from workflows.payment_event.contract import (
    PERSIST_OUTCOME_DUPLICATE,
    PERSIST_OUTCOME_STORED,
    AssessPaymentInput,
    ValidateBusinessRulesInput,
)
from workflows.payment_event.questions import assessment_item

CLOCK = FrozenClock(NOW)


def steps(
    rulebook: Rulebook | None = None, attempts: FakeAttempts | None = None, scoring: FakeScoring | None = None
) -> PaymentEventActivities:
    rules, store = FakeRules(rulebook or Rulebook()), FakeDecisionStore()
    return PaymentEventActivities(rules, attempts or FakeAttempts(), scoring or FakeScoring(), store, CLOCK)


async def test_broken_rules_are_handed_back() -> None:
    rulebook = Rulebook(blocklist={("card_fingerprint", "fp_ada", "acct_shop")})
    result = await steps(rulebook).validate_business_rules(ValidateBusinessRulesInput(event=succeeded()))
    assert [hit.rule_id for hit in result.rule_hits] == ["blocklist.card_fingerprint"]


async def test_the_models_answers_are_handed_back() -> None:
    result = await steps().assess_payment(AssessPaymentInput(item=assessment_item(succeeded()), event=succeeded()))
    assert result.assessment.HasField("fraud")
    assert result.assessment.HasField("churn")


def asked(event: UnifiedPaymentEvent) -> AssessPaymentInput:
    return AssessPaymentInput(item=assessment_item(event), event=event)


async def test_the_models_are_told_the_earlier_attempts_on_the_card() -> None:
    earlier = failed("before", provider_created_at=timestamp(NOW - timedelta(hours=2)))
    dearer = failed("dearer", provider_created_at=timestamp(NOW - timedelta(hours=1)), amount_cents=2001)
    scoring = FakeScoring()
    activities = PaymentEventActivities(
        FakeRules(), FakeAttempts([earlier, dearer]), scoring, FakeDecisionStore(), CLOCK
    )
    await activities.assess_payment(asked(failed()))
    (item,) = scoring.asked
    assert list(item.payment.previous_attempts) == [earlier.provider_created_at]
    assert list(item.payment.previous_attempts_other_amounts) == [dearer.provider_created_at]


async def test_nobody_is_asked_about_a_retry_while_earlier_attempts_cannot_be_read() -> None:
    scoring = FakeScoring()
    away = FakeAttempts(failures=[AttemptsUnavailableError("as told")])
    activities = steps(attempts=away, scoring=scoring)
    with pytest.raises(AttemptsUnavailableError):
        await activities.assess_payment(asked(failed()))
    assert scoring.asked == []


async def test_attempts_are_not_looked_up_where_no_retry_can_be_recommended() -> None:
    attempts = FakeAttempts()
    activities = steps(attempts=attempts)
    await activities.assess_payment(asked(succeeded()))
    assert attempts.calls == 0


async def test_persisting_twice_stores_once() -> None:
    activities = steps()
    assert (await activities.persist_decision(recorded())).outcome == PERSIST_OUTCOME_STORED
    assert (await activities.persist_decision(recorded())).outcome == PERSIST_OUTCOME_DUPLICATE


async def test_a_decision_is_dated_when_it_is_stored_and_so_after_its_answers() -> None:
    clock = FrozenClock(NOW + timedelta(seconds=9))
    store = FakeDecisionStore()
    handed_in = recorded()
    await PaymentEventActivities(FakeRules(), FakeAttempts(), FakeScoring(), store, clock).persist_decision(handed_in)
    stored = store.records["stripe:evt_1"].decision
    assert stored.decided_at.ToDatetime(UTC) == clock.now()
    assert stored.decided_at.ToNanoseconds() > stored.fraud.provenance.predicted_at.ToNanoseconds()
    stored.decided_at.CopyFrom(handed_in.decision.decided_at)
    assert stored == handed_in.decision


async def test_a_duplicate_is_told_with_the_action_that_is_stored() -> None:
    activities = steps()
    await activities.persist_decision(recorded())
    again = recorded()
    again.decision.action, again.decision.degraded = DECISION_ACTION_REVIEW, True
    result = await activities.persist_decision(again)
    assert (result.outcome, result.action, result.degraded) == (
        PERSIST_OUTCOME_DUPLICATE,
        DECISION_ACTION_APPROVE,
        False,
    )


async def test_a_refused_record_is_an_error_that_names_the_rule() -> None:
    with pytest.raises(RecordRefusedError, match="payment_events_amount_cents_check"):
        await steps().persist_decision(recorded(succeeded(amount_cents=-1)))


async def test_a_failure_is_kept() -> None:
    quarantine = FakeQuarantine()
    result = await DlqReviewActivities(quarantine).quarantine_failure(DlqReviewInput(failure=failure()))
    assert (result.event_id, result.outcome) == ("stripe:evt_1", PERSIST_OUTCOME_STORED)
    assert list(quarantine.kept) == ["stripe:evt_1"]
