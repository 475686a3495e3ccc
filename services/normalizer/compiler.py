"""Turns a mapping table into one function, so that a row costs what hand-written code would.

The rows become the source text of a function, as dataclasses make theirs: with a closure for each row, a message's
whole way from bytes to bytes took a sixth longer. Every name in the text is checked against the contracts first.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from textwrap import indent
from typing import Any, Final, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_UNKNOWN,
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_REFUND_FAILED,
    DeclineClass,
    UnifiedPaymentEvent,
)

from services.normalizer.declines import most_specific
from services.normalizer.money import Unit
from services.normalizer.nulls import present
from services.normalizer.table import Amount, Failure, Number, ObjectMapping, Part, Row, Text
from services.runtime.contract import redact
from services.runtime.errors import BrokenRule

SCHEMA_VERSION: Final = 1
# The last second that Protobuf's Timestamp can tell: the end of the year 9999.
_LAST_SECOND: Final = 253402300799
_REMEMBERED_SPELLINGS: Final = 1024
# A part that is read only where one of its fields says a word: "source[object=card]".
_WITH_WORD: Final = re.compile(r"(.*)\[([a-z_]+)=([a-z_]+)\]")

Map = Callable[[Any, Timestamp], tuple[UnifiedPaymentEvent, list[BrokenRule]]]
"""From a webhook's message and the present time: the event, and every rule that kept it from being complete."""

Write = Callable[[Any, UnifiedPaymentEvent], None]
"""From the provider's object into the event."""

_APPLY: Final = """\
def apply(webhook, now):
    source, envelope, broken = webhook.{object_field}, webhook.event, []
{shared}
    event = UnifiedPaymentEvent()
    event.event_id = "{prefix}:" + envelope.id
    event.provider = {provider}
    event.provider_event_id = envelope.id
    event.livemode = envelope.livemode
    event.receipt_id = webhook.receipt.receipt_id
    event.processed_at.CopyFrom(now)
    event.schema_version = {schema_version}
    if envelope.created <= {last_second}:
        event.provider_created_at.seconds = envelope.created
    else:
        broken.append(out_of_range())
    if (text := present(webhook.merchant_id)) is not None:
        event.merchant_id = text
    else:
        broken.append(no_merchant(webhook.merchant_id))
{rows}
{payment_id}
    else:
        broken.append(no_payment())
    unit = units.get(source.currency)
    if unit is None:
        broken.append(unsupported(source.currency))
    else:
        event.currency = unit.code
        largest_as_is = unit.largest_as_is
{amounts}
    for key, value in source.metadata.items():
        if present(value) is not None:
            event.metadata[key] = value
    standing = standing_of(webhook.type, source)
    if isinstance(standing, BrokenRule):
        broken.append(standing)
    else:
        event.event_type = standing.event_type
        event.status = standing.status
        if standing.status in {failed}:
            write_failure(source, event)
    return event, broken
"""

_WRITE: Final = """\
def write(source, event):
{shared}
{rows}
"""

_READ: Final = """\
def read(source):
{shared}
    return [{expressions}]
"""


def compile_mapping(
    mapping: ObjectMapping, units: Mapping[str, Unit], decline_classes: Mapping[str, DeclineClass]
) -> Map:
    """The function that a table stands for. `units` by ISO 4217 code, of this provider.

    Raises ValueError when the table names a field that a contract does not have.
    """
    source_type = _field(_descriptor(mapping.webhook), mapping.object_field).message_type
    code = _Code(source_type)
    amounts = [row for row in mapping.rows if isinstance(row, Amount)]
    rows = [row for row in mapping.rows if not isinstance(row, Amount)]
    values = {
        "UnifiedPaymentEvent": UnifiedPaymentEvent,
        "BrokenRule": BrokenRule,
        # Providers write the code in their own case; one look-up serves both.
        "units": {spelling: unit for iso, unit in units.items() for spelling in (iso, iso.lower())},
        "standing_of": mapping.standing,
        "write_failure": _compile_failure(mapping.failure, decline_classes, source_type),
        "write_odd_amount": _write_odd_amount,
        **_rules(mapping),
    }
    return cast(
        "Map",
        code.function(
            _APPLY,
            values,
            object_field=mapping.object_field,
            prefix=mapping.prefix,
            provider=int(mapping.provider),
            schema_version=SCHEMA_VERSION,
            last_second=_LAST_SECOND,
            failed=(int(PAYMENT_STATUS_FAILED), int(PAYMENT_STATUS_REFUND_FAILED)),
            rows=code.rows(rows),
            payment_id=code.payment_id(mapping.payment_id, mapping.prefix),
            amounts=indent(code.amounts(amounts, mapping.body_path), "    "),
        ),
    )


def compile_rows(rows: Iterable[Row], source_type: Descriptor) -> Write:
    """One function for rows without amounts. Raises ValueError when a row names a field that no contract has."""
    code = _Code(source_type)
    return cast("Write", code.function(_WRITE, {}, rows=code.rows(rows) or "    pass"))


def _compile_failure(
    failure: Failure | None, decline_classes: Mapping[str, DeclineClass], source_type: Descriptor
) -> Write:
    if failure is None:
        return lambda _source, _event: None
    write_rows = compile_rows(failure.rows, source_type)
    code = _Code(source_type)
    expressions = ", ".join(code.text_at(path) for path in failure.codes)
    read_codes = cast("Callable[[Any], list[str]]", code.function(_READ, {}, expressions=expressions))

    def write(source: Any, event: UnifiedPaymentEvent) -> None:
        told = most_specific([present(text) for text in read_codes(source)])
        if told is not None:
            event.failure_code = told
        if failure.is_decline:
            event.decline_class = decline_classes.get(told or "", DECLINE_CLASS_UNKNOWN)
        write_rows(source, event)

    return write


class _Code:
    """Lines of a function over `source` and `event`, and the values that they name."""

    def __init__(self, source_type: Descriptor) -> None:
        self._source_type = source_type
        self._shared: dict[str, str] = {}
        self._values: dict[str, object] = {"present": present}

    def function(self, template: str, values: Mapping[str, object], **parts: object) -> object:
        """The function that a template makes of the lines written so far; its first line names it."""
        text = template.format(shared=indent("\n".join(self._shared.values()), "    "), **parts)
        names = {**self._values, **values}
        exec(compile(text, "<mapping table>", "exec"), names)  # noqa: S102 - our own tables, names checked
        return names[template.split("(", maxsplit=1)[0].removeprefix("def ")]

    def rows(self, rows: Iterable[Row]) -> str:
        """Lines for rows that are no amounts."""
        lines = (line for row in rows for line in self._row(row))
        return indent("\n".join(lines), "    ")

    def amounts(self, rows: Iterable[Amount], body_path: str) -> str:
        """Lines for amounts, of which most are ISO 4217's as they are and so cost no call."""
        lines = (line for row in rows for line in self._amount(row, f"{body_path}.{row.source}"))
        return indent("\n".join(lines), "    ")

    def payment_id(self, sources: Iterable[str], prefix: str) -> str:
        """Lines for the payment's id, up to an `else` for none."""
        lines = []
        for number, source in enumerate(sources):
            text = self.text_at(source)
            lines += [
                f"{'elif' if number else 'if'} (text := {text}) and (text := present(text)) is not None:",
                f'    event.payment_id = "{prefix}:" + text',
            ]
        return indent("\n".join(lines), "    ")

    def text_at(self, path: str, root: str = "source", root_type: Descriptor | None = None) -> str:
        """The expression of a text; an absent one reads as empty."""
        stem = path.removesuffix("[only]")
        holder, name, _ = self._resolve(stem, root, root_type)
        if stem == path:
            return f"{holder}.{name}"
        return f'({holder}.{name}[0] if len({holder}.{name}) == 1 else "")'

    def _row(self, row: Row) -> Iterator[str]:
        match row:
            case Text() | Number():
                yield from self._plain(row, "source", self._source_type)
            case Part():
                yield from self._part(row)
            case Amount():
                raise TypeError(f"{row.target}: an amount needs a currency beside it")

    def _plain(self, row: Text | Number, root: str, root_type: Descriptor) -> Iterator[str]:
        _field(_descriptor(UnifiedPaymentEvent), row.target)
        clean = self._cleaner(row) if isinstance(row, Text) else ""
        for number, source in enumerate(row.sources):
            if isinstance(row, Text):
                text = self.text_at(source, root, root_type)
                condition, value = f"(text := {text}) and (text := {clean}(text)) is not None", "text"
            else:
                holder, name, _ = self._resolve(source, root, root_type)
                condition, value = f'{holder}.HasField("{name}")', f"{holder}.{name}"
            yield f"{'elif' if number else 'if'} {condition}:"
            yield f"    event.{row.target} = {value}"

    def _part(self, part: Part) -> Iterator[str]:
        types = []
        for number, message in enumerate(part.messages):
            path, condition = self._condition(message)
            holder, name, field = self._resolve(path)
            yield f'{"elif" if number else "if"} {holder}.HasField("{name}"){condition}:'
            yield f"    part = {holder}.{name}"
            types.append(field.message_type)
        yield "else:"
        yield "    part = None"
        yield "if part is not None:"
        for row in part.rows:
            for other, source in ((other, source) for other in types[1:] for source in row.sources):
                _field(other, source)
            yield from (f"    {line}" for line in self._plain(row, "part", types[0]))

    def _condition(self, message: str) -> tuple[str, str]:
        """The path of a part's message, and the rest of the condition under which it is read."""
        matched = _WITH_WORD.fullmatch(message)
        if matched is None:
            return message, ""
        path, field, word = matched.groups()
        return path, f' and {self.text_at(f"{path}.{field}")} == "{word}"'

    def _amount(self, row: Amount, body_path: str) -> Iterator[str]:
        _field(_descriptor(UnifiedPaymentEvent), row.target)
        holder, name, _ = self._resolve(row.source)
        yield f'if {holder}.HasField("{name}"):'
        yield f"    if (amount := {holder}.{name}) <= largest_as_is:"
        yield f"        event.{row.target} = amount"
        yield "    else:"
        yield f'        write_odd_amount(event, "{row.target}", amount, unit, "{body_path}", broken)'

    def _resolve(
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
        self._shared[variable] = f"{variable} = {items}[0] if {items} else no_{variable}"
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


def _write_odd_amount(
    event: UnifiedPaymentEvent, target: str, amount: int, unit: Unit, path: str, broken: list[BrokenRule]
) -> None:
    """An amount that is not ISO 4217's as it is: converted, or refused."""
    cents = unit.to_cents(amount)
    if isinstance(cents, int):
        setattr(event, target, cents)
    else:
        broken.append(BrokenRule(cents, path, unit.explain(cents), redact(amount)))


def _rules(mapping: ObjectMapping) -> Mapping[str, Callable[..., BrokenRule]]:
    """The rules that a mapped object can break, under the names they have in the function's text."""
    payment_path = f"{mapping.body_path}.{mapping.payment_id[0]}"
    currency_path = f"{mapping.body_path}.currency"
    unsupported = "is not in the table of supported currencies; TIDEGATE_CURRENCIES_FILE can add it"
    out_of_range = "is no second before the year 10000"
    return {
        "out_of_range": lambda: BrokenRule("timestamp.out_of_range", "created", out_of_range, "number"),
        "no_merchant": lambda text: _required("merchant_id", "a merchant", text),
        "no_payment": lambda: _required(payment_path, "the payment it belongs to", None),
        "unsupported": lambda code: BrokenRule("currency.unsupported", currency_path, unsupported, redact(code)),
    }


def _required(path: str, what: str, value: object) -> BrokenRule:
    message = f"an event needs {what}; here it is absent or a word for null"
    return BrokenRule("field.required", path, message, redact(value))
