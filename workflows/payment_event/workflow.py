"""PaymentEventWorkflow: rules and models are asked, a decision is made and stored; no failure loses the event.

Steps are local activities: they run in the worker that holds the workflow and cost the server nothing but their marker.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOutError
from tidegate.decisions.v1.payment_decision_pb2 import DegradedStep, PaymentDecision, RuleHit
from tidegate.inference.v1.assessment_service_pb2 import Assessment
from tidegate.ingress.v1.violation_pb2 import Violation
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from workflows.dlq_review.contract import DlqReviewInput
from workflows.dlq_review.workflow import quarantine
from workflows.errors import RecordRefusedError, ScoringOutageError, ScoringRefusedError
from workflows.payment_event.contract import (
    ASSESS_PAYMENT,
    PERSIST_DECISION,
    PERSIST_OUTCOME_QUARANTINED,
    VALIDATE_BUSINESS_RULES,
    WORKFLOW,
    AssessPaymentInput,
    AssessPaymentResult,
    PaymentEventInput,
    PaymentEventResult,
    PersistDecisionInput,
    PersistDecisionResult,
    ValidateBusinessRulesInput,
    ValidateBusinessRulesResult,
)
from workflows.payment_event.decision import decide
from workflows.payment_event.questions import assessment_item

_MOST_CAUSE_CHARACTERS = 256


@workflow.defn(name=WORKFLOW)
class PaymentEventWorkflow:
    """One event in, one stored decision out. Its workflow id is the event_id."""

    def __init__(self) -> None:
        self._degraded: list[DegradedStep] = []

    @workflow.run
    async def run(self, order: PaymentEventInput) -> PaymentEventResult:
        """Decide on the event and store the decision."""
        event = order.event
        rule_hits, assessment = await asyncio.gather(self._validate(event), self._assess(event))
        decision = decide(event, rule_hits, assessment, self._degraded)
        stored = await self._store(order, decision)
        return PaymentEventResult(
            event_id=event.event_id, action=stored.action, degraded=stored.degraded, outcome=stored.outcome
        )

    async def _validate(self, event: UnifiedPaymentEvent) -> Sequence[RuleHit]:
        try:
            result: ValidateBusinessRulesResult = await workflow.execute_local_activity(
                VALIDATE_BUSINESS_RULES,
                ValidateBusinessRulesInput(event=event),
                result_type=ValidateBusinessRulesResult,
                start_to_close_timeout=timedelta(seconds=3),
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=3
                ),
            )
        except FailureError as error:
            self._degrade(VALIDATE_BUSINESS_RULES, error)
            return []
        return result.rule_hits

    async def _assess(self, event: UnifiedPaymentEvent) -> Assessment:
        item = assessment_item(event)
        if item is None:
            return Assessment()
        try:
            result: AssessPaymentResult = await workflow.execute_local_activity(
                ASSESS_PAYMENT,
                AssessPaymentInput(item=item, event=event),
                result_type=AssessPaymentResult,
                start_to_close_timeout=timedelta(seconds=3),
                # Where each attempt takes its time to fail.
                schedule_to_close_timeout=timedelta(seconds=20),
                # Over 15 s, in which inference or PostgreSQL can be started anew.
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(milliseconds=200),
                    backoff_coefficient=2.0,
                    maximum_interval=timedelta(seconds=3),
                    maximum_attempts=9,
                    non_retryable_error_types=[ScoringRefusedError.__name__, ScoringOutageError.__name__],
                ),
            )
        except FailureError as error:
            self._degrade(ASSESS_PAYMENT, error)
            return Assessment()
        return result.assessment

    def _degrade(self, step: str, error: FailureError) -> None:
        if is_cancelled_exception(error):
            raise error
        self._degraded.append(DegradedStep(step=step, cause=_kind(error)))

    async def _store(self, order: PaymentEventInput, decision: PaymentDecision) -> PersistDecisionResult:
        try:
            return await self._persist(PersistDecisionInput(event=order.event, decision=decision))
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            await quarantine(DlqReviewInput(failure=_refused(order, error)))
            return PersistDecisionResult(
                outcome=PERSIST_OUTCOME_QUARANTINED, action=decision.action, degraded=decision.degraded
            )

    async def _persist(self, record: PersistDecisionInput) -> PersistDecisionResult:
        try:
            stored: PersistDecisionResult = await workflow.execute_local_activity(
                PERSIST_DECISION,
                record,
                result_type=PersistDecisionResult,
                start_to_close_timeout=timedelta(seconds=10),
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(milliseconds=500),
                    backoff_coefficient=2.0,
                    maximum_attempts=5,
                    non_retryable_error_types=[RecordRefusedError.__name__],
                ),
            )
        except FailureError as error:
            if is_cancelled_exception(error) or _kind(error) == RecordRefusedError.__name__:
                raise
        else:
            return stored
        # A long outage. A regular activity's attempts are the server's: they go on whatever becomes of this worker.
        stored = await workflow.execute_activity(
            PERSIST_DECISION,
            record,
            result_type=PersistDecisionResult,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1),
                backoff_coefficient=2.0,
                maximum_interval=timedelta(seconds=10),
                non_retryable_error_types=[RecordRefusedError.__name__],
            ),
        )
        return stored  # noqa: RET504 - types the SDK's Any


def _now() -> Timestamp:
    now = Timestamp()
    now.FromDatetime(workflow.now())
    return now


def _root(error: BaseException) -> BaseException:
    """The failure of the step itself, without the wrapping that a regular activity adds."""
    while isinstance(error.__cause__, FailureError):
        error = error.__cause__
    return error


def _kind(error: FailureError) -> str:
    """The kind of error, without its text: texts of libraries may repeat values."""
    root = _root(error)
    if isinstance(root, ApplicationError):
        name = root.type or "ApplicationError"
    elif isinstance(root, TimedOutError):
        name = TimedOutError.__name__
    else:
        name = type(root).__name__
    return name[:_MOST_CAUSE_CHARACTERS]


def _refused(order: PaymentEventInput, error: FailureError) -> ValidationFailure:
    """Why storage refuses the event, for quarantine. RecordRefusedError promises a text without values."""
    root = _root(error)
    reason = root.message if isinstance(root, ApplicationError) else _kind(error)
    return ValidationFailure(
        event_id=order.event.event_id,
        provider=order.event.provider,
        provider_event_type=order.event.event_type,
        merchant_id=order.event.merchant_id,
        violations=[Violation(rule_id="storage.refused", message=f"storage refuses the event: {reason}"[:1024])],
        origin=order.origin,
        receipt_id=order.event.receipt_id,
        failed_at=_now(),
        schema_version=1,
    )
