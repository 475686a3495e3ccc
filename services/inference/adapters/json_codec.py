"""Reads and writes messages as Protobuf JSON, and says what is wrong with a body without repeating its values."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from services.runtime import contract
from services.runtime.errors import BrokenRule, ContractViolationError

M = TypeVar("M", bound=Message)

_PATH = re.compile(r"Failed to parse (\w+) field")
_KEY_SHOWN = 64
_WELL_KNOWN = "google.protobuf."


class MalformedJsonError(ValueError):
    """A body is no JSON object."""


def read(body: bytes, message_type: type[M]) -> M:
    """Decode and check a body.

    Raises MalformedJsonError where it is no JSON object, and ContractViolationError where it is off-contract: unknown
    fields, values of the wrong type, broken rules.
    """
    document = _object(body)
    descriptor = cast("Descriptor", message_type.DESCRIPTOR)
    if unknown := tuple(_unknown_fields(document, descriptor, "")):
        raise ContractViolationError(descriptor.full_name, unknown)
    message = message_type()
    try:
        json_format.ParseDict(document, message)
    except json_format.ParseError as error:
        raise ContractViolationError(descriptor.full_name, [_misfit(str(error), descriptor)]) from None
    contract.check(message)
    return message


def write(message: Message) -> bytes:
    """Encode a message with the contract's own field names; fields without presence are written even when 0."""
    document = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return orjson.dumps(document)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedJsonError(f"the body is no JSON: line {error.lineno}, column {error.colno}") from None
    if not isinstance(document, dict):
        raise MalformedJsonError("the body is JSON, but no object")
    return document


def _unknown_fields(document: Mapping[str, Any], descriptor: Descriptor, path: str) -> Iterator[BrokenRule]:
    """Every key at any depth that the contract does not have, with the name that was probably meant."""
    by_name = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    for key, value in document.items():
        field = by_name.get(key)
        if field is None:
            yield _unknown(key, descriptor, path)
        elif field.message_type is not None and not field.message_type.full_name.startswith(_WELL_KNOWN):
            yield from _unknown_in(value, field, f"{path}{field.name}")


def _unknown_in(value: Any, field: FieldDescriptor, path: str) -> Iterator[BrokenRule]:
    if isinstance(value, dict):
        yield from _unknown_fields(value, field.message_type, f"{path}.")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _unknown_in(each, field, f"{path}[{index}]")


def _unknown(key: str, descriptor: Descriptor, path: str) -> BrokenRule:
    meant = difflib.get_close_matches(key, [field.name for field in descriptor.fields], n=1)
    hint = f"; did you mean {meant[0]}?" if meant else ""
    return BrokenRule("json.unknown_field", path + key[:_KEY_SHOWN], f"{descriptor.full_name} has no such field{hint}")


def _misfit(text: str, descriptor: Descriptor) -> BrokenRule:
    """Which field could not be read, from the library's text: the text itself would repeat the value."""
    names = []
    field: FieldDescriptor | None = None
    current: Descriptor | None = descriptor
    for name in _PATH.findall(text):
        found = None if current is None else _field(current, name)
        if found is None:
            break
        field, current = found, found.message_type
        names.append(found.name)
    kind = "the message" if field is None else _kind(field)
    return BrokenRule("json.wrong_type", ".".join(names), f"cannot be read as {kind}")


def _field(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    return next((field for field in descriptor.fields if name in {field.name, field.json_name}), None)


def _kind(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return str(field.message_type.full_name)
    if field.enum_type is not None:
        return f"{field.enum_type.full_name}: one of {', '.join(value.name for value in field.enum_type.values)}"
    return _KINDS.get(field.type, "a value of this field")


_KINDS = {
    FieldDescriptor.TYPE_STRING: "a string",
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_INT32: "a 32-bit integer",
    FieldDescriptor.TYPE_INT64: "a 64-bit integer (a number or a string of digits, no fraction)",
    FieldDescriptor.TYPE_DOUBLE: "a number",
}
