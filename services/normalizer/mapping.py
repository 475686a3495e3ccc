"""What a mapping table is, and how it becomes closures: compiled once, so that a row costs one call per message."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.ingress.v1.receipt_pb2 import Provider
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_UNKNOWN,
    PAYMENT_STATUS_FAILED,
    DeclineClass,
    PaymentStatus,
    UnifiedPaymentEvent,
)

from services.normalizer.declines import most_specific
from services.normalizer.money import Unit
from services.normalizer.nulls import present
from services.runtime.contract import redact
from services.runtime.errors import BrokenRule

SCHEMA_VERSION = 1
# The last second that Protobuf's Timestamp can tell: the end of the year 9999.
_LAST_SECOND = 253402300799

Read = Callable[[Any], Any]
"""Reads one field of the provider's object; None where it is absent."""

Apply = Callable[[Any, UnifiedPaymentEvent], None]
"""Writes what one row says."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text field: the first source that is present, in the spelling that `rewrite` gives it.

    Paths lead through messages; `list[0].field` reads the first of a list, `list[only]` an element that stands alone.
    `rewrite` answers None for a value that says nothing about the target.
    """

    target: str
    sources: tuple[str, ...]
    rewrite: Callable[[str], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number that is no amount: the first source that is present."""

    target: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money in the object's currency, in ISO 4217 minor units."""

    target: str
    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """Rows for a message inside the object: their sources are fields of the first of these messages that is present."""

    messages: tuple[str, ...]
    rows: tuple[Text | Number, ...]


Row = Text | Number | Amount | Part


@dataclass(frozen=True, slots=True)
class Standing:
    """What happened, and where the payment, refund or dispute stands after it."""

    event_type: str
    status: PaymentStatus


@dataclass(frozen=True, slots=True)
class Failure:
    """Where an object says why a payment failed. Read only when the payment's status is FAILED."""

    # Codes of the failure; the most specific one of them is kept.
    codes: tuple[str, ...]
    rows: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class ObjectMapping:
    """How one object of one provider becomes a UnifiedPaymentEvent: a table, with a function only for the standing."""

    provider: Provider
    # The provider's name in our ids: "stripe" in "stripe:evt_1".
    prefix: str
    webhook: type[Message]
    # Field of the webhook's message that holds the object.
    object_field: str
    # Where the object lies in the provider's body.
    body_path: str
    # Ids of the payment the object belongs to; the first that is present.
    payment_id: tuple[str, ...]
    rows: tuple[Row, ...]
    # From the provider's event type and the object; a broken rule where they do not tell.
    standing: Callable[[str, Any], Standing | BrokenRule]
    failure: Failure | None = None


Map = Callable[[Any, Timestamp], tuple[UnifiedPaymentEvent, list[BrokenRule]]]
"""From a webhook's message and the present time: the event, and every rule that kept it from being complete."""


def compile_mapping(
    mapping: ObjectMapping, units: Mapping[str, Unit], decline_classes: Mapping[str, DeclineClass]
) -> Map:
    """The function that a table stands for. `units` by ISO 4217 code, of this provider."""
    object_of = attrgetter(mapping.object_field)
    writes = [_compile_row(row) for row in mapping.rows if not isinstance(row, Amount)]
    write_amounts = _compile_amounts(mapping, units)
    write_payment_id = _compile_payment_id(mapping)
    write_failure = _compile_failure(mapping.failure, decline_classes)
    provider, prefix, standing_of = mapping.provider, mapping.prefix, mapping.standing

    def apply(webhook: Any, now: Timestamp) -> tuple[UnifiedPaymentEvent, list[BrokenRule]]:
        source = object_of(webhook)
        broken: list[BrokenRule] = []
        event = UnifiedPaymentEvent(
            provider=provider,
            schema_version=SCHEMA_VERSION,
            processed_at=now,
            receipt_id=webhook.receipt.receipt_id,
        )
        _write_envelope(webhook, event, prefix, broken)
        for write in writes:
            write(source, event)
        write_payment_id(source, event, broken)
        write_amounts(source, event, broken)
        _write_metadata(source.metadata, event)
        standing = standing_of(webhook.type, source)
        if isinstance(standing, BrokenRule):
            broken.append(standing)
        else:
            event.event_type = standing.event_type
            event.status = standing.status
            if standing.status == PAYMENT_STATUS_FAILED:
                write_failure(source, event)
        return event, broken

    return apply


def source_paths(mapping: ObjectMapping) -> Mapping[str, str]:
    """Where the provider's body holds what each unified field is made of; the first source where there are several."""
    sources = {"currency": "currency", "metadata": "metadata", "status": "status", "payment_id": mapping.payment_id[0]}
    if mapping.failure is not None:
        sources |= {"failure_code": mapping.failure.codes[0], "decline_class": mapping.failure.codes[0]}
    for row in (*mapping.rows, *(mapping.failure.rows if mapping.failure else ())):
        sources |= _sources_of(row)
    in_object = {target: f"{mapping.body_path}.{source}" for target, source in sources.items()}
    envelope = {"event_id": "id", "provider_event_id": "id", "event_type": "type", "provider_created_at": "created"}
    return in_object | envelope


def _sources_of(row: Row) -> Mapping[str, str]:
    if isinstance(row, Part):
        return {inner.target: f"{row.messages[0]}.{inner.sources[0]}" for inner in row.rows}
    return {row.target: row.source if isinstance(row, Amount) else row.sources[0]}


def _write_envelope(webhook: Any, event: UnifiedPaymentEvent, prefix: str, broken: list[BrokenRule]) -> None:
    envelope = webhook.event
    event.event_id = f"{prefix}:{envelope.id}"
    event.provider_event_id = envelope.id
    event.livemode = envelope.livemode
    if envelope.created > _LAST_SECOND:
        broken.append(BrokenRule("timestamp.out_of_range", "created", "is no second before the year 10000", "number"))
    else:
        event.provider_created_at.seconds = envelope.created
    merchant_id = present(webhook.merchant_id)
    if merchant_id is None:
        broken.append(_required("merchant_id", "a merchant", webhook.merchant_id))
    else:
        event.merchant_id = merchant_id


def _compile_row(row: Text | Number | Part) -> Apply:
    match row:
        case Text():
            return _compile_text(row)
        case Number():
            return _compile_number(row)
        case Part():
            return _compile_part(row)


def _compile_part(part: Part) -> Apply:
    reads = [_message_reader(path) for path in part.messages]
    writes = [_compile_row(row) for row in part.rows]

    def write(source: Any, event: UnifiedPaymentEvent) -> None:
        for read in reads:
            message = read(source)
            if message is not None:
                for write_row in writes:
                    write_row(message, event)
                return

    return write


def _compile_text(row: Text) -> Apply:
    target = row.target
    rewrite = row.rewrite or str  # str gives a text back as it is
    reads = [_reader(source) for source in row.sources]
    if len(reads) == 1 and row.rewrite is None:
        return _compile_plain_text(target, reads[0])

    def write(source: Any, event: UnifiedPaymentEvent) -> None:
        for read in reads:
            text = read(source)
            if text and (text := present(text)) is not None and (value := rewrite(text)) is not None:
                setattr(event, target, value)
                return

    return write


def _compile_plain_text(target: str, read: Read) -> Apply:
    def write(source: Any, event: UnifiedPaymentEvent) -> None:
        text = read(source)
        if text and (text := present(text)) is not None:
            setattr(event, target, text)

    return write


def _compile_number(row: Number) -> Apply:
    target = row.target
    reads = [_optional_reader(source) for source in row.sources]

    def write(source: Any, event: UnifiedPaymentEvent) -> None:
        for read in reads:
            value = read(source)
            if value is not None:
                setattr(event, target, value)
                return

    return write


def _compile_amounts(
    mapping: ObjectMapping, units: Mapping[str, Unit]
) -> Callable[[Any, UnifiedPaymentEvent, list[BrokenRule]], None]:
    rows = [row for row in mapping.rows if isinstance(row, Amount)]
    reads = [(row.target, f"{mapping.body_path}.{row.source}", _optional_reader(row.source)) for row in rows]
    # Providers write the code in their own case; one look-up serves both.
    unit_of = {spelling: unit for code, unit in units.items() for spelling in (code, code.lower())}
    currency_path = f"{mapping.body_path}.currency"

    def write(source: Any, event: UnifiedPaymentEvent, broken: list[BrokenRule]) -> None:
        unit = unit_of.get(source.currency)
        if unit is None:
            broken.append(_unsupported(currency_path, source.currency))
            return
        event.currency = unit.code
        for target, path, read in reads:
            amount = read(source)
            if amount is None:
                continue
            cents = unit.to_cents(amount)
            if isinstance(cents, str):
                broken.append(BrokenRule(cents, path, unit.explain(cents), redact(amount)))
            else:
                setattr(event, target, cents)

    return write


def _compile_payment_id(mapping: ObjectMapping) -> Callable[[Any, UnifiedPaymentEvent, list[BrokenRule]], None]:
    reads = [_reader(source) for source in mapping.payment_id]
    prefix, path = mapping.prefix, f"{mapping.body_path}.{mapping.payment_id[0]}"

    def write(source: Any, event: UnifiedPaymentEvent, broken: list[BrokenRule]) -> None:
        for read in reads:
            value = present(read(source))
            if value is not None:
                event.payment_id = f"{prefix}:{value}"
                return
        broken.append(_required(path, "the payment it belongs to", None))

    return write


def _compile_failure(
    failure: Failure | None, decline_classes: Mapping[str, DeclineClass]
) -> Callable[[Any, UnifiedPaymentEvent], None]:
    if failure is None:
        return lambda _source, _event: None
    codes = [_reader(source) for source in failure.codes]
    rows = [_compile_text(row) for row in failure.rows]

    def write(source: Any, event: UnifiedPaymentEvent) -> None:
        code = most_specific(present(read(source)) for read in codes)
        if code is not None:
            event.failure_code = code
        event.decline_class = decline_classes.get(code or "", DECLINE_CLASS_UNKNOWN)
        for row in rows:
            row(source, event)

    return write


def _write_metadata(metadata: Mapping[str, str], event: UnifiedPaymentEvent) -> None:
    for key, value in metadata.items():
        if present(value) is not None:
            event.metadata[key] = value


def _reader(path: str) -> Read:
    """Reads a text; an absent one reads as empty."""
    if path.endswith("[only]"):
        all_of = attrgetter(path.removesuffix("[only]"))
        return lambda source: items[0] if len(items := all_of(source)) == 1 else ""
    before, is_list, after = path.partition("[0].")
    if not is_list:
        return attrgetter(path)
    list_of, read = attrgetter(before), attrgetter(after)

    def read_first(source: Any) -> Any:
        items = list_of(source)
        return read(items[0]) if items else ""

    return read_first


def _optional_reader(path: str) -> Read:
    """Reads a field that has presence: a number, since 0 is a value, or a message."""
    before, is_list, after = path.partition("[0].")
    if is_list:
        list_of, read = attrgetter(before), _optional_reader(after)
        return lambda source: read(items[0]) if (items := list_of(source)) else None
    parent, _, name = path.rpartition(".")
    if parent:
        message_of = attrgetter(parent)
        return lambda source: getattr(message, name) if (message := message_of(source)).HasField(name) else None
    return lambda source: getattr(source, name) if source.HasField(name) else None


def _message_reader(path: str) -> Read:
    """Reads a message inside the object; None where it is absent."""
    if not path.endswith("[0]"):
        return _optional_reader(path)
    list_of = attrgetter(path.removesuffix("[0]"))
    return lambda source: items[0] if (items := list_of(source)) else None


def _required(path: str, what: str, value: object) -> BrokenRule:
    return BrokenRule(
        "field.required", path, f"an event needs {what}; here it is absent or a word for null", redact(value)
    )


def _unsupported(path: str, currency: str) -> BrokenRule:
    message = "is not in the table of supported currencies; TIDEGATE_CURRENCIES_FILE can add it"
    return BrokenRule("currency.unsupported", path, message, redact(currency))
