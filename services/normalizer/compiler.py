"""Turns a mapping table into one function, so that a row costs what hand-written code would.

The rows become the source text of a function, as dataclasses make theirs: with a closure for each row, all of a
message's way from bytes to bytes takes a fifth longer. Every name in the text is checked against the contracts first.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_UNKNOWN,
    PAYMENT_STATUS_FAILED,
    DeclineClass,
    UnifiedPaymentEvent,
)

from services.normalizer.declines import most_specific
from services.normalizer.money import Unit
from services.normalizer.nulls import present
from services.normalizer.table import Amount, Failure, Number, ObjectMapping, Part, Plain, Text
from services.runtime.contract import redact
from services.runtime.errors import BrokenRule

SCHEMA_VERSION = 1
# The last second that Protobuf's Timestamp can tell: the end of the year 9999.
_LAST_SECOND = 253402300799
_REMEMBERED_SPELLINGS = 1024

Map = Callable[[Any, Timestamp], tuple[UnifiedPaymentEvent, list[BrokenRule]]]
"""From a webhook's message and the present time: the event, and every rule that kept it from being complete."""

Write = Callable[[Any, UnifiedPaymentEvent], None]
"""From the provider's object into the event."""

Read = Callable[[Any], Iterable[Any]]
"""The values at some paths of the provider's object."""

CheckedWrite = Callable[[Any, UnifiedPaymentEvent, list[BrokenRule]], None]
"""The same, adding the rules that the object breaks."""


def compile_mapping(
    mapping: ObjectMapping, units: Mapping[str, Unit], decline_classes: Mapping[str, DeclineClass]
) -> Map:
    """The function that a table stands for. `units` by ISO 4217 code, of this provider.

    Raises ValueError when the table names a field that a contract does not have.
    """
    source_type = _field(_descriptor(mapping.webhook), mapping.object_field).message_type
    write_rows = compile_rows([row for row in mapping.rows if not isinstance(row, Amount)], source_type)
    write_payment_id = _compile_payment_id(mapping, source_type)
    write_amounts = _compile_amounts(mapping, units, source_type)
    write_failure = _compile_failure(mapping.failure, decline_classes, source_type)
    object_field, provider, prefix, standing_of = (
        mapping.object_field,
        mapping.provider,
        mapping.prefix,
        mapping.standing,
    )

    def apply(webhook: Any, now: Timestamp) -> tuple[UnifiedPaymentEvent, list[BrokenRule]]:
        source, envelope = getattr(webhook, object_field), webhook.event
        broken: list[BrokenRule] = []
        event = UnifiedPaymentEvent()
        event.event_id = f"{prefix}:{envelope.id}"
        event.provider = provider
        event.provider_event_id = envelope.id
        event.livemode = envelope.livemode
        event.receipt_id = webhook.receipt.receipt_id
        event.processed_at.CopyFrom(now)
        event.schema_version = SCHEMA_VERSION
        _write_merchant_and_time(webhook, event, broken)
        write_rows(source, event)
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


def compile_rows(rows: Iterable[Plain], source_type: Descriptor) -> Write:
    """One function for all rows of an object. Raises ValueError when a row names a field that no contract has."""
    text = _FunctionText(source_type)
    for row in rows:
        text.add(row)
    return text.writing()


def compile_texts(paths: Iterable[str], source_type: Descriptor) -> Read:
    """One function for the texts at these paths; an absent one reads as empty."""
    text = _FunctionText(source_type)
    return text.returning([text.text_at(path) for path in paths])


def compile_numbers(paths: Iterable[str], source_type: Descriptor) -> Read:
    """One function for the numbers at these paths; an absent one reads as None, since 0 is a value."""
    text = _FunctionText(source_type)
    places = map(text.resolve, paths)
    return text.returning([f'{at}.{name} if {at}.HasField("{name}") else None' for at, name, _ in places])


class _FunctionText:
    """The source text of a function over `source` (and `event`), and the values that it names."""

    def __init__(self, source_type: Descriptor) -> None:
        self._source_type = source_type
        self._preludes: dict[str, str] = {}
        self._lines: list[str] = []
        self._values: dict[str, object] = {"present": present}

    def add(self, row: Plain) -> None:
        match row:
            case Text() | Number():
                self._add_field(row, "source", self._source_type)
            case Part():
                self._add_part(row)

    def writing(self) -> Write:
        """The function that writes the added rows."""
        return cast("Write", self._function("source, event", self._lines or ["pass"]))

    def returning(self, expressions: Iterable[str]) -> Read:
        """A function that returns the values of expressions made of resolved paths."""
        return cast("Read", self._function("source", [f"return [{', '.join(expressions)}]"]))

    def _function(self, arguments: str, lines: Iterable[str]) -> object:
        text = "\n    ".join([f"def function({arguments}):", *self._preludes.values(), *lines])
        exec(compile(text, "<mapping table>", "exec"), self._values)  # noqa: S102 - our own tables, names checked
        return self._values["function"]

    def _add_field(self, row: Text | Number, root: str, root_type: Descriptor, indent: str = "") -> None:
        _field(_descriptor(UnifiedPaymentEvent), row.target)
        clean = self._cleaner(row) if isinstance(row, Text) else ""
        branch = "if"
        for source in row.sources:
            if isinstance(row, Text):
                text = self.text_at(source, root, root_type)
                condition, value = f"(text := {text}) and (text := {clean}(text)) is not None", "text"
            else:
                holder, name, _ = self.resolve(source, root, root_type)
                condition, value = f'{holder}.HasField("{name}")', f"{holder}.{name}"
            self._lines += [f"{indent}{branch} {condition}:", f"{indent}    event.{row.target} = {value}"]
            branch = "elif"

    def _add_part(self, part: Part) -> None:
        types = []
        branch = "if"
        for path in part.messages:
            holder, name, field = self.resolve(path)
            self._lines += [f'{branch} {holder}.HasField("{name}"):', f"    part = {holder}.{name}"]
            types.append(field.message_type)
            branch = "elif"
        self._lines += ["else:", "    part = None", "if part is not None:"]
        for row in part.rows:
            for other in types[1:]:
                for source in row.sources:
                    _field(other, source)
            self._add_field(row, "part", types[0], indent="    ")

    def text_at(self, path: str, root: str = "source", root_type: Descriptor | None = None) -> str:
        """The expression of a text."""
        stem = path.removesuffix("[only]")
        holder, name, _ = self.resolve(stem, root, root_type)
        if stem == path:
            return f"{holder}.{name}"
        return f'({holder}.{name}[0] if len({holder}.{name}) == 1 else "")'

    def resolve(
        self, path: str, root: str = "source", root_type: Descriptor | None = None
    ) -> tuple[str, str, FieldDescriptor]:
        """The expression of the message that holds a path's last field, that field's name, and the field."""
        expression, message_type = root, root_type or self._source_type
        *holders, last = path.split(".")
        for holder in holders:
            name, is_first, _ = holder.partition("[0]")
            field = _field(message_type, name)
            expression, message_type = f"{expression}.{name}", field.message_type
            if is_first:
                expression = self._first_of(expression, message_type)
        return expression, last, _field(message_type, last)

    def _first_of(self, items: str, message_type: Descriptor) -> str:
        """A variable with the first of a list, or with an empty message, all of whose fields are absent."""
        variable = items.replace(".", "_") + "_0"
        self._values[f"no_{variable}"] = GetMessageClass(message_type)()
        self._preludes[variable] = f"{variable} = {items}[0] if {items} else no_{variable}"
        return variable

    def _cleaner(self, row: Text) -> str:
        if row.rewrite is None:
            return "present"
        name = f"clean_{row.target}"
        self._values[name] = _rewriter(row.rewrite)
        return name


def _rewriter(rewrite: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """Null normalisation and the row's own spelling in one. What tables spell has few values: they are remembered."""

    @lru_cache(maxsize=_REMEMBERED_SPELLINGS)
    def clean(text: str) -> str | None:
        value = present(text)
        return None if value is None else rewrite(value)

    return clean


def _descriptor(message_type: type[Message]) -> Descriptor:
    return cast("Descriptor", message_type.DESCRIPTOR)  # one of two types in the stubs, which have the same parts


def _field(message_type: Descriptor, name: str) -> FieldDescriptor:
    field: FieldDescriptor | None = message_type.fields_by_name.get(name)
    if field is None:
        raise ValueError(f"{message_type.full_name} has no field {name!r}")
    return field


def _write_merchant_and_time(webhook: Any, event: UnifiedPaymentEvent, broken: list[BrokenRule]) -> None:
    created = webhook.event.created
    if created > _LAST_SECOND:
        broken.append(BrokenRule("timestamp.out_of_range", "created", "is no second before the year 10000", "number"))
    else:
        event.provider_created_at.seconds = created
    merchant_id = present(webhook.merchant_id)
    if merchant_id is None:
        broken.append(_required("merchant_id", "a merchant", webhook.merchant_id))
    else:
        event.merchant_id = merchant_id


def _compile_payment_id(mapping: ObjectMapping, source_type: Descriptor) -> CheckedWrite:
    prefix, path = mapping.prefix, f"{mapping.body_path}.{mapping.payment_id[0]}"
    read_ids = compile_texts(mapping.payment_id, source_type)

    def write(source: Any, event: UnifiedPaymentEvent, broken: list[BrokenRule]) -> None:
        for text in read_ids(source):
            if (payment_id := present(text)) is not None:
                event.payment_id = f"{prefix}:{payment_id}"
                return
        broken.append(_required(path, "the payment it belongs to", None))

    return write


def _compile_amounts(mapping: ObjectMapping, units: Mapping[str, Unit], source_type: Descriptor) -> CheckedWrite:
    rows = [row for row in mapping.rows if isinstance(row, Amount)]
    for row in rows:
        _field(_descriptor(UnifiedPaymentEvent), row.target)
    read_amounts = compile_numbers([row.source for row in rows], source_type)
    targets = [(row.target, f"{mapping.body_path}.{row.source}") for row in rows]
    # Providers write the code in their own case; one look-up serves both.
    unit_of = {spelling: unit for code, unit in units.items() for spelling in (code, code.lower())}
    currency_path = f"{mapping.body_path}.currency"

    def write(source: Any, event: UnifiedPaymentEvent, broken: list[BrokenRule]) -> None:
        unit = unit_of.get(source.currency)
        if unit is None:
            broken.append(_unsupported(currency_path, source.currency))
            return
        event.currency = unit.code
        for (target, path), amount in zip(targets, read_amounts(source), strict=True):
            if amount is None:
                continue
            # Most currencies are counted as ISO 4217 does: their amounts are taken without a call.
            cents = amount if amount <= unit.largest_as_is else unit.to_cents(amount)
            if isinstance(cents, int):
                setattr(event, target, cents)
            else:
                broken.append(BrokenRule(cents, path, unit.explain(cents), redact(amount)))

    return write


def _compile_failure(
    failure: Failure | None, decline_classes: Mapping[str, DeclineClass], source_type: Descriptor
) -> Write:
    if failure is None:
        return lambda _source, _event: None
    write_rows = compile_rows(failure.rows, source_type)
    read_codes = compile_texts(failure.codes, source_type)

    def write(source: Any, event: UnifiedPaymentEvent) -> None:
        code = most_specific([present(text) for text in read_codes(source)])
        if code is not None:
            event.failure_code = code
        event.decline_class = decline_classes.get(code or "", DECLINE_CLASS_UNKNOWN)
        write_rows(source, event)

    return write


def _write_metadata(metadata: Mapping[str, str], event: UnifiedPaymentEvent) -> None:
    for key, value in metadata.items():
        if present(value) is not None:
            event.metadata[key] = value


def _required(path: str, what: str, value: object) -> BrokenRule:
    return BrokenRule(
        "field.required", path, f"an event needs {what}; here it is absent or a word for null", redact(value)
    )


def _unsupported(path: str, currency: str) -> BrokenRule:
    message = "is not in the table of supported currencies; TIDEGATE_CURRENCIES_FILE can add it"
    return BrokenRule("currency.unsupported", path, message, redact(currency))
