"""Turns messages into rows of the schema `tidegate`; pure. A row maps column names to values that JSON can carry."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import DecisionAction, PaymentDecision
from tidegate.inference.v1.churn_service_pb2 import ChurnRisk
from tidegate.inference.v1.fraud_service_pb2 import FraudDecision
from tidegate.inference.v1.payment_context_pb2 import Provenance
from tidegate.inference.v1.recovery_service_pb2 import RecoveryStepKind
from tidegate.inference.v1.retry_service_pb2 import RetryAction
from tidegate.ingress.v1.receipt_pb2 import Provider
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from workflows.storage import text

Row = dict[str, Any]
Read = Callable[[Any], Any]


def words(enum: EnumDescriptor) -> Mapping[int, str]:
    """An enum's numbers as people read them: PAYMENT_STATUS_REFUND_PENDING is refund_pending."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    return {value.number: value.name.removeprefix(prefix).lower() for value in enum.values}


_ACTIONS: Final = words(DecisionAction.DESCRIPTOR)
_PROVIDERS: Final = words(Provider.DESCRIPTOR)
_FRAUD: Final = words(FraudDecision.DESCRIPTOR)
_RETRY: Final = words(RetryAction.DESCRIPTOR)
_CHURN: Final = words(ChurnRisk.DESCRIPTOR)
_STEPS: Final = words(RecoveryStepKind.DESCRIPTOR)


def action_name(word: str) -> str:
    """How the contract names the action that a row of decisions names."""
    return f"DECISION_ACTION_{word.upper()}"


def _reader(field: FieldDescriptor) -> Read:
    name = field.name
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return lambda message: {text(key): text(value) for key, value in getattr(message, name).items()}
    if field.message_type is not None:
        return lambda message: getattr(message, name).ToJsonString()
    if field.enum_type is not None:
        meaning = words(field.enum_type)
        return lambda message: meaning[getattr(message, name)]
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda message: text(getattr(message, name))
    return lambda message: getattr(message, name)


_EVENT_READERS: Final = tuple(
    (field.name, field.has_presence, _reader(field)) for field in UnifiedPaymentEvent.DESCRIPTOR.fields
)
EVENT_COLUMNS: Final = tuple(name for name, _, _ in _EVENT_READERS)


def event_row(event: UnifiedPaymentEvent) -> Row:
    """A row of payment_events: one column for each field, under its name."""
    return {
        name: None if optional and not event.HasField(name) else read(event) for name, optional, read in _EVENT_READERS
    }


DECISION_COLUMNS: Final = (
    "event_id", "payment_id", "merchant_id", "customer_id", "provider", "event_type", "amount_cents", "currency",
    "action", "rule_ids", "degraded", "degraded_steps", "fraud_probability", "fraud_decision", "retry_action",
    "retry_at", "network_rule", "churn_probability", "churn_risk", "recovery_steps", "models", "fallback", "decided_at",
    "receipt_id", "schema_version", "decision",
)  # fmt: skip


def decision_row(decision: PaymentDecision) -> Row:
    """A row of decisions."""
    provenances = list(_provenances(decision))
    row = dict.fromkeys(DECISION_COLUMNS)
    row.update(
        event_id=decision.event_id,
        payment_id=decision.payment_id,
        merchant_id=text(decision.merchant_id),
        customer_id=text(decision.customer_id) if decision.HasField("customer_id") else None,
        provider=_PROVIDERS[decision.provider],
        event_type=decision.event_type,
        amount_cents=decision.amount_cents,
        currency=decision.currency,
        action=_ACTIONS[decision.action],
        rule_ids=[hit.rule_id for hit in decision.rule_hits],
        degraded=decision.degraded,
        degraded_steps=[step.step for step in decision.degraded_steps],
        models=[f"{provenance.model_name}@{provenance.model_version}" for provenance in provenances],
        fallback=any(provenance.fallback for provenance in provenances),
        decided_at=decision.decided_at.ToJsonString(),
        receipt_id=decision.receipt_id,
        schema_version=decision.schema_version,
        decision=_document(decision),
    )
    _take_answers(row, decision)
    return row


def _take_answers(row: Row, decision: PaymentDecision) -> None:
    if decision.HasField("fraud"):
        row.update(fraud_probability=decision.fraud.fraud_probability, fraud_decision=_FRAUD[decision.fraud.decision])
    if decision.HasField("retry"):
        retry = decision.retry
        row.update(
            retry_action=_RETRY[retry.action],
            retry_at=retry.retry_at.ToJsonString() if retry.HasField("retry_at") else None,
            network_rule=text(retry.network_rule) or None,
        )
    if decision.HasField("churn"):
        row.update(churn_probability=decision.churn.churn_probability, churn_risk=_CHURN[decision.churn.risk])
    if decision.HasField("recovery"):
        row.update(recovery_steps=[_STEPS[step.kind] for step in decision.recovery.steps])


def _provenances(decision: PaymentDecision) -> Iterable[Provenance]:
    for question in ("fraud", "retry", "churn", "recovery"):
        if decision.HasField(question):
            yield getattr(decision, question).provenance


OUTBOX_COLUMNS: Final = ("event_id", "payment_id", "decision", "headers")


def outbox_row(decision: PaymentDecision, headers: Mapping[str, str]) -> Row:
    """A row of decision_outbox: the message to publish, ready but for its frame."""
    return {
        "event_id": decision.event_id,
        "payment_id": decision.payment_id,
        "decision": "\\x" + decision.SerializeToString().hex(),  # how PostgreSQL reads a bytea
        "headers": {name: text(value) for name, value in headers.items()},
    }


QUARANTINE_COLUMNS: Final = (
    "event_id", "provider", "provider_event_type", "merchant_id", "rule_ids", "violations", "origin_topic",
    "origin_partition", "origin_offset", "receipt_id", "failed_at", "schema_version",
)  # fmt: skip


def quarantine_row(failure: ValidationFailure) -> Row:
    """A row of quarantine."""
    return {
        "event_id": text(failure.event_id),
        "provider": _PROVIDERS[failure.provider] if failure.provider else None,
        "provider_event_type": text(failure.provider_event_type),
        "merchant_id": text(failure.merchant_id),
        "rule_ids": [text(violation.rule_id) for violation in failure.violations],
        "violations": [_document(violation) for violation in failure.violations],
        "origin_topic": failure.origin.topic,
        "origin_partition": failure.origin.partition,
        "origin_offset": failure.origin.offset,
        "receipt_id": failure.receipt_id,
        "failed_at": failure.failed_at.ToJsonString(),
        "schema_version": failure.schema_version,
    }


def _document(message: Message) -> Row:
    """A message as JSON for people: fields that are set, named as in the contract, enums by their full name.

    Compiled once for each type of message. The library's MessageToDict takes twice as long and tells 64-bit numbers as
    text.
    """
    tell = _document_readers(message.DESCRIPTOR)
    return {field.name: tell[field.number](value) for field, value in message.ListFields()}


@cache
def _document_readers(descriptor: Descriptor) -> Mapping[int, Read]:
    return {field.number: _document_reader(field) for field in descriptor.fields}


def _document_reader(field: FieldDescriptor) -> Read:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return lambda pairs: {text(str(key)): text(str(value)) for key, value in pairs.items()}
    read = _value_reader(field)
    return (lambda values: [read(value) for value in values]) if field.is_repeated else read


def _value_reader(field: FieldDescriptor) -> Read:
    if field.message_type is Timestamp.DESCRIPTOR:
        return Timestamp.ToJsonString
    if field.message_type is not None:
        return _document
    if field.enum_type is not None:
        names = {value.number: value.name for value in field.enum_type.values}
        return names.__getitem__
    return text if field.type == FieldDescriptor.TYPE_STRING else lambda value: value
