"""Reads and writes messages as Protobuf JSON, and says what is wrong with a body without repeating its values."""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
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
# Comparing one key with the names of a message takes some 0.1 ms: no key that is longer than any name is compared.
_KEY_COMPARED = 40
_WELL_KNOWN = "google.protobuf."


class MalformedJsonError(ValueError):
    """A body is no JSON object."""


def read(body: bytes, message_type: type[M]) -> M:
    """Decode and check a body.

    Raises MalformedJsonError where it is no JSON object, and ContractViolationError where it is off-contract: unknown
    fields, values of the wrong type, broken rules. No more than `contract.MOST_TOLD` of them are looked for.
    """
    document = _object(body)
    descriptor = cast("Descriptor", message_type.DESCRIPTOR)
    if faults := tuple(islice(_faults(document, descriptor, ""), contract.MOST_TOLD)):
        more = None if len(faults) == contract.MOST_TOLD else 0
        raise ContractViolationError(descriptor.full_name, faults, more)
    message = message_type()
    try:
        json_format.ParseDict(document, message)
    except json_format.ParseError as error:
        raise ContractViolationError(descriptor.full_name, [_misfit(str(error), descriptor)]) from None
    broken = contract.first_broken_rules(message)
    if broken.told:
        raise ContractViolationError(descriptor.full_name, broken.told, broken.more)
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


def _faults(document: Mapping[str, Any], descriptor: Descriptor, path: str) -> Iterator[BrokenRule]:
    """Every key that the contract does not have, and every object or list where it has none.

    Goes no deeper than the contract, so that what passes is no deeper either.
    """
    fields = _fields(descriptor)
    for key, value in document.items():
        field = fields.get(key)
        if field is None:
            yield _unknown(key, descriptor, path)
        elif field.is_repeated and isinstance(value, list):
            for index, each in enumerate(value):
                yield from _faults_of(each, field, f"{path}{field.name}[{index}]")
        else:
            yield from _faults_of(value, field, f"{path}{field.name}")


def _faults_of(value: Any, field: FieldDescriptor, path: str) -> Iterator[BrokenRule]:
    if not isinstance(value, dict | list):
        return
    if isinstance(value, dict) and _is_object(field):
        yield from _faults(value, field.message_type, f"{path}.")
    else:
        yield BrokenRule("json.wrong_type", path, f"cannot be read as {_kind(field)}")


def _is_object(field: FieldDescriptor) -> bool:
    """Whether a field is an object in JSON: a message, unless it is a well-known one, such as Timestamp."""
    return field.message_type is not None and not field.message_type.full_name.startswith(_WELL_KNOWN)


@cache
def _fields(descriptor: Descriptor) -> Mapping[str, FieldDescriptor]:
    """A message's fields by their own names and by those of Protobuf JSON."""
    return {name: field for field in descriptor.fields for name in (field.name, field.json_name)}


def _unknown(key: str, descriptor: Descriptor, path: str) -> BrokenRule:
    names = [field.name for field in descriptor.fields]
    meant = difflib.get_close_matches(key, names, n=1) if len(key) <= _KEY_COMPARED else ()
    hint = f"; did you mean {meant[0]}?" if meant else ""
    return BrokenRule("json.unknown_field", path + key[:_KEY_SHOWN], f"{descriptor.full_name} has no such field{hint}")


def _misfit(text: str, descriptor: Descriptor) -> BrokenRule:
    """Which field could not be read, from the library's text: the text itself would repeat the value."""
    names = []
    field: FieldDescriptor | None = None
    current: Descriptor | None = descriptor
    for name in _PATH.findall(text):
        found = None if current is None else _fields(current).get(name)
        if found is None:
            break
        field, current = found, found.message_type
        names.append(found.name)
    kind = "the message" if field is None else _kind(field)
    return BrokenRule("json.wrong_type", ".".join(names), f"cannot be read as {kind}")


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
