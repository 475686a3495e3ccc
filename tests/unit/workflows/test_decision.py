"""What is decided on an event, from the rules it broke and the models' answers."""

from itertools import product
from typing import Any

import pytest
from buf.validate.validate_pb2 import field as field_rules
from hypothesis import given
from hypothesis import strategies as st
from tidegate.decisions.v1.payment_decision_pb2 import (
    DECISION_ACTION_APPROVE,
    DECISION_ACTION_AUTHENTICATE,
    DECISION_ACTION_BLOCK,
    DECISION_ACTION_DO_NOT_RETRY,
    DECISION_ACTION_RECORD,
    DECISION_ACTION_RETRY,
    DECISION_ACTION_REVIEW,
    DECISION_ACTION_UPDATE_PAYMENT_METHOD,
    DegradedStep,
    PaymentDecision,
    RuleHit,
)
from tidegate.inference.v1.assessment_service_pb2 import Assessment
from tidegate.inference.v1.fraud_service_pb2 import (
    FRAUD_DECISION_ALLOW,
    FRAUD_DECISION_BLOCK,
    FRAUD_DECISION_REVIEW,
    FraudDecision,
)
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_AUTHENTICATE,
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RetryAction,
)
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.runtime import contract
from services.runtime.clock import timestamp
from tests.fakes.payments import failed, refunded, succeeded
from tests.fakes.scoring import assess
from tests.fakes.times import NOW
from workflows.payment_event.decision import KINDS, Facts, Kind, action_on, decide
from workflows.payment_event.questions import assessment_item

BLOCKED = RuleHit(rule_id="blocklist.customer", description="on the blocklist")
OVER_LIMIT = RuleHit(rule_id="merchant_limit.amount", description="above the limit")
AWAY = DegradedStep(step="assess_payment", cause="ScoringUnavailableError")

FRAUD: list[FraudDecision | None] = [None, FRAUD_DECISION_ALLOW, FRAUD_DECISION_REVIEW, FRAUD_DECISION_BLOCK]
RETRY: list[RetryAction | None] = [
    None,
    RETRY_ACTION_RETRY,
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RETRY_ACTION_AUTHENTICATE,
]
EVERYTHING = [Facts(*values) for values in product(Kind, (False, True), (False, True), (False, True), FRAUD, RETRY)]


def facts(kind: Kind, **known: object) -> Facts:
    unknown = {"blocklisted": False, "over_limit": False, "degraded": False, "fraud": None, "retry": None}
    return Facts(kind, **{**unknown, **known})  # type: ignore[arg-type]


def dated(decision: PaymentDecision) -> PaymentDecision:
    """As the step that stores it completes it."""
    decision.decided_at.CopyFrom(timestamp(NOW))
    return decision


@pytest.mark.parametrize(
    ("given_facts", "action"),
    [
        (facts(Kind.COLLECTED, fraud=FRAUD_DECISION_ALLOW), DECISION_ACTION_APPROVE),
        (facts(Kind.COLLECTED, fraud=FRAUD_DECISION_REVIEW), DECISION_ACTION_REVIEW),
        (facts(Kind.COLLECTED, fraud=FRAUD_DECISION_BLOCK), DECISION_ACTION_BLOCK),
        (facts(Kind.COLLECTED, fraud=FRAUD_DECISION_ALLOW, blocklisted=True), DECISION_ACTION_BLOCK),
        (facts(Kind.COLLECTED, fraud=FRAUD_DECISION_ALLOW, over_limit=True), DECISION_ACTION_REVIEW),
        (facts(Kind.COLLECTED, fraud=FRAUD_DECISION_BLOCK, over_limit=True), DECISION_ACTION_BLOCK),
        (facts(Kind.COLLECTED, fraud=FRAUD_DECISION_BLOCK, degraded=True), DECISION_ACTION_BLOCK),
        (facts(Kind.COLLECTED, degraded=True), DECISION_ACTION_REVIEW),
        (facts(Kind.FAILED, retry=RETRY_ACTION_RETRY), DECISION_ACTION_RETRY),
        (facts(Kind.FAILED, retry=RETRY_ACTION_RETRY, over_limit=True), DECISION_ACTION_REVIEW),
        (facts(Kind.FAILED, retry=RETRY_ACTION_RETRY, degraded=True), DECISION_ACTION_REVIEW),
        (facts(Kind.FAILED, retry=RETRY_ACTION_DO_NOT_RETRY, over_limit=True), DECISION_ACTION_DO_NOT_RETRY),
        (facts(Kind.FAILED, retry=RETRY_ACTION_UPDATE_PAYMENT_METHOD), DECISION_ACTION_UPDATE_PAYMENT_METHOD),
        (facts(Kind.FAILED, retry=RETRY_ACTION_AUTHENTICATE), DECISION_ACTION_AUTHENTICATE),
        (facts(Kind.FAILED, retry=RETRY_ACTION_RETRY, blocklisted=True), DECISION_ACTION_BLOCK),
        (facts(Kind.FAILED), DECISION_ACTION_REVIEW),
        (facts(Kind.OPEN), DECISION_ACTION_RECORD),
        (facts(Kind.OPEN, blocklisted=True), DECISION_ACTION_BLOCK),
        (facts(Kind.OPEN, over_limit=True), DECISION_ACTION_REVIEW),
        (facts(Kind.OPEN, degraded=True), DECISION_ACTION_RECORD),
        (facts(Kind.AFTERMATH, blocklisted=True, over_limit=True), DECISION_ACTION_RECORD),
    ],
)
def test_the_first_row_that_fits_decides(given_facts: Facts, action: int) -> None:
    assert action_on(given_facts) == action


def test_whatever_the_facts_nothing_is_retried_but_what_the_strategy_allows() -> None:
    for each in EVERYTHING:
        if action_on(each) == DECISION_ACTION_RETRY:
            assert (each.kind, each.retry, each.degraded, each.blocklisted, each.over_limit) == (
                Kind.FAILED,
                RETRY_ACTION_RETRY,
                False,
                False,
                False,
            )


def test_whatever_the_facts_nothing_is_approved_on_less_than_the_full_picture() -> None:
    for each in EVERYTHING:
        if action_on(each) == DECISION_ACTION_APPROVE:
            assert each.kind == Kind.COLLECTED
            assert each.fraud == FRAUD_DECISION_ALLOW
            assert not (each.degraded)
            assert not (each.blocklisted)
            assert not (each.over_limit)


def test_whatever_the_facts_a_blocklisted_payment_is_blocked_while_it_can_be() -> None:
    for each in EVERYTHING:
        if each.blocklisted and each.kind != Kind.AFTERMATH:
            assert action_on(each) == DECISION_ACTION_BLOCK


def test_every_event_type_of_the_contract_has_a_kind() -> None:
    options: Any = UnifiedPaymentEvent.DESCRIPTOR.fields_by_name["event_type"].GetOptions()
    assert set(getattr(options.Extensions[field_rules].string, "in")) == set(KINDS)


def test_a_decision_says_all_that_it_was_based_on() -> None:
    event = failed()
    item = assessment_item(event)
    assert item is not None
    decision = decide(event, [OVER_LIMIT], assess(item), [])
    contract.check(dated(decision))
    assert decision.action == DECISION_ACTION_REVIEW
    assert decision.event_id == event.event_id
    assert decision.payment_id == event.payment_id
    assert decision.receipt_id == event.receipt_id
    assert [hit.rule_id for hit in decision.rule_hits] == ["merchant_limit.amount"]
    assert decision.retry.provenance.model_name == "retry-rules"
    assert decision.HasField("recovery")
    assert decision.HasField("churn")
    assert decision.HasField("fraud")


def test_suspected_fraud_of_a_failed_payment_decides_nothing_by_itself() -> None:
    event = failed()
    item = assessment_item(event)
    assert item is not None
    assessment = assess(item)
    assert decide(event, [], assessment, []).action == DECISION_ACTION_RETRY
    assessment.fraud.decision = FRAUD_DECISION_BLOCK
    assert decide(event, [], assessment, []).action == DECISION_ACTION_RETRY


def test_a_guest_has_no_customer_in_the_decision() -> None:
    decision = decide(refunded(), [], Assessment(), [])
    contract.check(dated(decision))
    assert not decision.HasField("customer_id")


@given(
    event=st.sampled_from([succeeded(), failed(), refunded()]),
    hits=st.lists(st.sampled_from([BLOCKED, OVER_LIMIT]), max_size=3),
    degraded=st.lists(st.just(AWAY), max_size=1),
    event_type=st.sampled_from(sorted(KINDS)),
    answered=st.booleans(),
)
def test_every_decision_keeps_its_contract(
    event: UnifiedPaymentEvent, hits: list[RuleHit], degraded: list[DegradedStep], event_type: str, *, answered: bool
) -> None:
    changed = UnifiedPaymentEvent()
    changed.CopyFrom(event)
    changed.event_type = event_type
    item = assessment_item(changed)
    assessment = assess(item) if item is not None and answered else Assessment()
    contract.check(dated(decide(changed, hits, assessment, degraded)))
