"""From a provider's webhook to a UnifiedPaymentEvent, or to a ValidationFailure that says why not. Pure, and total."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_UNSPECIFIED
from tidegate.ingress.v1.violation_pb2 import Violation
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass, UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import MessageOrigin, ValidationFailure

from services.normalizer.compiler import SCHEMA_VERSION, Map, compile_mapping
from services.normalizer.money import Unit
from services.normalizer.nulls import present
from services.normalizer.sources import LARGEST_MESSAGE_BYTES
from services.normalizer.table import ObjectMapping, source_paths
from services.runtime.contract import broken_rules
from services.runtime.errors import BrokenRule, InvalidMessageError, Position

Outcome = UnifiedPaymentEvent | ValidationFailure
"""What is to be published, and so where: events on payments.normalized, failures on payments.validation.dlq."""

# What tells more about an event and is not the event: where a provider's word for one of these breaks its rule, the
# event goes on without it. Who, how much, when and in what state stay out of this list.
_DETAILS = frozenset(
    {
        "card_brand",
        "card_country",
        "card_exp_month",
        "card_exp_year",
        "card_funding",
        "card_last_four",
        "failure_code",
        "failure_message",
        "invoice_id",
        "metadata",
        "network_advice_code",
        "network_decline_code",
        "payment_method_type",
        "provider_advice_code",
        "provider_risk_score",
        "reason",
    }
)
_LONGEST_FAILURE_MESSAGE = 2048

# Bounds of the failure's own contract.
_MOST_VIOLATIONS = 100
_LONGEST_EVENT_ID = 300
_LONGEST_NAME = 128
_LONGEST_PATH = 512
_LONGEST_MESSAGE = 1024
_RECEIPT_ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class _Compiled:
    mapping: ObjectMapping
    apply: Map
    paths: Mapping[str, str]


class Normalizer:
    """Knows a mapping for each webhook message. Nothing it does depends on anything but its arguments."""

    def __init__(
        self,
        mappings: Iterable[ObjectMapping],
        units: Mapping[str, Unit],
        decline_classes: Mapping[str, DeclineClass],
    ) -> None:
        self._compiled: dict[type[Message], _Compiled] = {
            mapping.webhook: _Compiled(mapping, compile_mapping(mapping, units, decline_classes), source_paths(mapping))
            for mapping in mappings
        }

    def normalize(
        self, webhook: Message, position: Position, now: Timestamp, left_out: list[str] | None = None
    ) -> Outcome:
        """The event that a webhook's message tells, or every rule that it breaks; the message need not be valid.

        To `left_out` is added where in the provider's body a detail stands that breaks its rule: the event is without
        it, or has it cut.
        """
        compiled = self._compiled[type(webhook)]
        if broken := broken_rules(webhook):
            in_body = [_in_body(rule, _path_in_body(rule.field_path, compiled.mapping)) for rule in broken]
            return _failure(webhook, compiled.mapping, in_body, position, now)
        event, missing = compiled.apply(webhook, now)
        if missing:
            return _failure(webhook, compiled.mapping, missing, position, now)
        broken = broken_rules(event)
        if broken and all(rule.field_path in _DETAILS for rule in broken):
            details = sorted({rule.field_path for rule in broken})
            _leave_out(event, details)
            if left_out is not None:
                left_out += [compiled.paths.get(name, name) for name in details]
            broken = broken_rules(event)
        if broken:
            in_body = [_in_body(rule, compiled.paths.get(rule.field_path, rule.field_path)) for rule in broken]
            return _failure(webhook, compiled.mapping, in_body, position, now)
        return event

    def reject(self, webhook: Message, broken: BrokenRule, position: Position, now: Timestamp) -> ValidationFailure:
        """The failure for a message that can be read, for a rule that shows outside of mapping and contract."""
        return _failure(webhook, self._compiled[type(webhook)].mapping, [broken], position, now)


def unreadable(poison: InvalidMessageError, now: Timestamp) -> ValidationFailure:
    """The failure for bytes that are no message: it is known by where they lie."""
    return ValidationFailure(
        event_id=_positional_id(poison.position),
        provider=PROVIDER_UNSPECIFIED,
        violations=_violations(poison.broken),
        origin=_origin(poison.position),
        failed_at=now,
        schema_version=SCHEMA_VERSION,
    )


def too_large(size: int) -> BrokenRule:
    """The rule that an event breaks which no topic takes."""
    message = (
        f"the normalised event is larger, with key and headers, than its topic takes ({LARGEST_MESSAGE_BYTES} bytes); "
        "metadata is what grows without bound"
    )
    return BrokenRule("event.too_large", "data.object", message, f"bytes({size})")


def defect(error: Exception) -> BrokenRule:
    """The rule for a message on which the mapping itself failed: our fault, told without the error's text."""
    message = f"the normalizer failed with {type(error).__name__}; its log has the place. Fix it and replay the message"
    return BrokenRule("normalizer.defect", "", message)


def _leave_out(event: UnifiedPaymentEvent, details: Iterable[str]) -> None:
    for name in details:
        if name == "failure_message":  # text for people, of which the beginning tells most
            event.failure_message = event.failure_message[:_LONGEST_FAILURE_MESSAGE]
        else:
            event.ClearField(name)


def _failure(
    webhook: Any, mapping: ObjectMapping, broken: Sequence[BrokenRule], position: Position, now: Timestamp
) -> ValidationFailure:
    event_id = present(webhook.event.id)
    receipt_id = webhook.receipt.receipt_id
    return ValidationFailure(
        event_id=_positional_id(position) if event_id is None else f"{mapping.prefix}:{event_id}"[:_LONGEST_EVENT_ID],
        provider=mapping.provider,
        provider_event_type=webhook.type[:_LONGEST_NAME],
        merchant_id=webhook.merchant_id[:_LONGEST_NAME],
        violations=_violations(broken),
        origin=_origin(position),
        receipt_id=receipt_id if _is_receipt_id(receipt_id) else "",
        failed_at=now,
        schema_version=SCHEMA_VERSION,
    )


def _violations(broken: Sequence[BrokenRule]) -> list[Violation]:
    return [
        Violation(
            rule_id=rule.rule_id[:_LONGEST_NAME],
            field_path=rule.field_path[:_LONGEST_PATH],
            message=rule.message[:_LONGEST_MESSAGE],
            redacted_value=rule.redacted_value[:_LONGEST_NAME],
        )
        for rule in broken[:_MOST_VIOLATIONS]
    ]


def _in_body(rule: BrokenRule, path: str) -> BrokenRule:
    return BrokenRule(rule.rule_id, path, rule.message, rule.redacted_value)


def _path_in_body(path: str, mapping: ObjectMapping) -> str:
    """A path in our message as one in the provider's body: `charge.amount` is `data.object.amount` there."""
    head, dot, rest = path.partition(".")
    if head == mapping.object_field:
        return f"{mapping.body_path}{dot}{rest}"
    return rest if head == "event" else path


def _positional_id(position: Position) -> str:
    return f"{position.topic}:{position.partition}:{position.offset}"


def _origin(position: Position) -> MessageOrigin:
    return MessageOrigin(topic=position.topic, partition=position.partition, offset=position.offset)


def _is_receipt_id(text: str) -> bool:
    return len(text) == _RECEIPT_ID_DIGITS and all(digit in "0123456789abcdef" for digit in text)
