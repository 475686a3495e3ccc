"""OpenAPI schemas of messages, made from the contracts' descriptors and their rules, so that the docs are true."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema = dict[str, Any]

_TIMESTAMP = "google.protobuf.Timestamp"
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    # Protobuf JSON writes 64-bit integers as strings and reads both.
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
}
_NUMERIC_RULES = {"gt": "exclusiveMinimum", "gte": "minimum", "lt": "exclusiveMaximum", "lte": "maximum"}
_STRING_RULES = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
_LIST_RULES = {"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems"}


def schemas(messages: Iterable[Descriptor]) -> dict[str, Schema]:
    """Schemas of these messages and of all that they contain, by their full names."""
    found: dict[str, Schema] = {}
    waiting = list(messages)
    while waiting:
        message = waiting.pop()
        if message.full_name not in found:
            found[message.full_name] = _message(message)
            waiting.extend(_contained(message))
    return dict(sorted(found.items()))


def reference(message: Descriptor) -> Schema:
    """A reference to a message's schema."""
    return {"$ref": f"#/components/schemas/{message.full_name}"}


def _contained(message: Descriptor) -> Iterator[Descriptor]:
    for field in message.fields:
        if field.message_type is not None and field.message_type.full_name != _TIMESTAMP:
            yield field.message_type


def _message(message: Descriptor) -> Schema:
    rules = {field.name: _rules(field) for field in message.fields}
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {field.name: _field(field, rules[field.name]) for field in message.fields},
    }
    # What the rules demand: fields marked so, and strings that may not be empty and have no presence to be absent by.
    required = [field.name for field in message.fields if _is_required(field, rules[field.name])]
    return {**schema, "required": required} if required else schema


def _is_required(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> bool:
    if rules.required:
        return True
    if field.is_repeated:
        return rules.repeated.min_items > 0
    return not field.has_presence and (rules.string.min_len > 0 or 0 in rules.enum.not_in)


def _field(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    if field.is_repeated:
        items = _single(field, rules.repeated.items)
        return {"type": "array", "items": items, **_translated(rules.repeated, _LIST_RULES)}
    return _single(field, rules)


def _single(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    if field.message_type is not None:
        if field.message_type.full_name == _TIMESTAMP:
            return {"type": "string", "format": "date-time"}
        return reference(field.message_type)
    if field.enum_type is not None:
        return {"type": "string", "enum": _names(field.enum_type, set(rules.enum.not_in))}
    return {**_SCALARS[field.type], **_scalar_rules(field, rules)}


def _names(enum: EnumDescriptor, without: set[int]) -> list[str]:
    return [value.name for value in enum.values if value.number not in without]


def _scalar_rules(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _translated(rules.string, _STRING_RULES)
    if field.type in {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_DOUBLE}:
        numeric = rules.int32 if field.type == FieldDescriptor.TYPE_INT32 else rules.double
        return _translated(numeric, _NUMERIC_RULES)
    return {}


def _translated(rules: Any, words: dict[str, str]) -> Schema:
    return {word: getattr(rules, rule) for rule, word in words.items() if rules.HasField(rule)}


def _rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    # The generated stubs leave the extension's type out.
    extensions: Any = field.GetOptions().Extensions
    return cast("validate_pb2.FieldRules", extensions[validate_pb2.field])
