"""Says which workflow to start for a message; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.ingress.v1.violation_pb2 import Violation
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import MessageOrigin, ValidationFailure

from services.runtime.clock import timestamp
from services.runtime.errors import BrokenRule, InvalidMessageError, Position
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from workflows.dlq_review import contract as dlq_review
from workflows.payment_event import contract as payment_event

FAILURE_SCHEMA_VERSION: Final = 1
_TRACE: Final = ("traceparent", "tracestate")
_MOST_VIOLATIONS: Final = 100


@dataclass(frozen=True, slots=True)
class WorkflowStart:
    """A workflow to start: once for its id, however often it is asked for."""

    workflow: str
    workflow_id: str
    order: payment_event.PaymentEventInput | dlq_review.DlqReviewInput
    # What travels on with the workflow: ids and W3C trace context.
    headers: Mapping[str, str]


def start_for_event(event: UnifiedPaymentEvent, position: Position, headers: Mapping[str, str]) -> WorkflowStart:
    """Decide on a normalised event: one workflow per event_id."""
    return WorkflowStart(
        payment_event.WORKFLOW,
        event.event_id,
        payment_event.PaymentEventInput(event=event, origin=_origin(position)),
        _travelling(headers, event.event_id, event.receipt_id),
    )


def start_for_failure(failure: ValidationFailure, headers: Mapping[str, str]) -> WorkflowStart:
    """Keep a failure for review: one workflow per event_id, beside the one that may decide on the event some day."""
    return WorkflowStart(
        dlq_review.WORKFLOW,
        f"dlq-review:{failure.event_id}",
        dlq_review.DlqReviewInput(failure=failure),
        _travelling(headers, failure.event_id, failure.receipt_id),
    )


def start_for_poison(error: InvalidMessageError, now: datetime, headers: Mapping[str, str]) -> WorkflowStart:
    """Keep a message that cannot be read under the place where it lies."""
    position = error.position
    failure = ValidationFailure(
        event_id=f"{position.topic}:{position.partition}:{position.offset}",
        violations=[_violation(rule) for rule in error.broken[:_MOST_VIOLATIONS]],
        origin=_origin(position),
        failed_at=timestamp(now),
        schema_version=FAILURE_SCHEMA_VERSION,
    )
    return start_for_failure(failure, headers)


def start_for_refused(
    order: payment_event.PaymentEventInput, headers: Mapping[str, str], now: datetime, reason: str
) -> WorkflowStart:
    """Keep an event whose workflow Temporal refuses to start, whatever is tried."""
    event = order.event
    broken = BrokenRule("workflow.refused", "", f"Temporal refuses to start the workflow: {reason}")
    failure = ValidationFailure(
        event_id=event.event_id,
        provider=event.provider,
        provider_event_type=event.event_type,
        merchant_id=event.merchant_id,
        violations=[_violation(broken)],
        origin=order.origin,
        receipt_id=event.receipt_id,
        failed_at=timestamp(now),
        schema_version=FAILURE_SCHEMA_VERSION,
    )
    return start_for_failure(failure, headers)


def _origin(position: Position) -> MessageOrigin:
    return MessageOrigin(topic=position.topic, partition=position.partition, offset=position.offset)


def _violation(rule: BrokenRule) -> Violation:
    return Violation(
        rule_id=rule.rule_id[:128],
        field_path=rule.field_path[:512],
        message=rule.message[:1024] or rule.rule_id,
        redacted_value=rule.redacted_value[:128],
    )


def _travelling(headers: Mapping[str, str], event_id: str, receipt_id: str) -> Mapping[str, str]:
    trace = {name: headers[name] for name in _TRACE if name in headers}
    # A message's own ids, not its headers', are checked by the contract.
    return {**trace, EVENT_ID: event_id, **({RECEIPT_ID: receipt_id} if receipt_id else {})}
