"""Enforces the rules stated in the contracts: the one caller of protovalidate."""

import re
from collections.abc import Sequence
from typing import Final

import protovalidate
from google.protobuf.message import Message

from services.runtime.errors import BrokenRule, ContractViolationError, Findings

# As many as a person reads.
MOST_TOLD: Final = 20
# The engine finds all violations or one. It takes some 30 microseconds for each, and a message can break a rule every
# second byte: a request of 4 MB kept a process busy for two minutes.
_SEARCHED_BYTES = 4096

_NOTHING = Findings(())

_CODE = re.compile(r"[a-z0-9_.]{1,64}")
_validator = protovalidate.Validator()


def broken_rules(message: Message) -> tuple[BrokenRule, ...]:
    """Every rule that the message breaks, in the contract's order; empty for a valid message."""
    found = _validator.collect_violations(message)
    if not found:
        return ()
    return tuple(_broken_rule(violation.proto, violation.field_value) for violation in found)


def first_broken_rules(message: Message) -> Findings:
    """What an edge tells a caller, who may send anything: no more than MOST_TOLD rules, found in bounded time.

    A message of more than 4 KiB hears of the first rule alone.
    """
    found = _validator.collect_violations(message, fail_fast=True)
    if not found:
        return _NOTHING
    more: int | None = None
    if message.ByteSize() <= _SEARCHED_BYTES:
        found = _validator.collect_violations(message)
        more = max(0, len(found) - MOST_TOLD)
    return Findings([_broken_rule(each.proto, each.field_value) for each in found[:MOST_TOLD]], more)


def check(message: Message) -> None:
    """Raise ContractViolationError when the message breaks a rule."""
    if broken := broken_rules(message):
        raise ContractViolationError(message.DESCRIPTOR.full_name, broken)


def redact(value: object) -> str:
    """A value's JSON type and size, and nothing of its content."""
    match value:
        case None:
            return "absent"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return f"string({len(value)})"
        case bytes():
            return f"bytes({len(value)})"
        case Sequence():
            return f"array({len(value)})"
        case _:
            return "object"


def code_or_size(text: str) -> str:
    """A text that looks like a code, as it is; of any other its type and size alone, since it may be content."""
    return text if _CODE.fullmatch(text) else redact(text)


def _broken_rule(proto: protovalidate.ViolationPb, value: object) -> BrokenRule:
    return BrokenRule(
        rule_id=proto.rule_id or "rule",
        field_path=_path(proto.field),
        message=proto.message or f"breaks rule {proto.rule_id}",
        redacted_value=redact(value),
    )


def _path(path: protovalidate.FieldPathPb | None) -> str:
    if path is None:
        return ""
    return ".".join(element.field_name + _subscript(element) for element in path.elements)


def _subscript(element: protovalidate.FieldPathElementPb) -> str:
    subscript = element.subscript
    # Only a list index is shown: a map's key is content.
    return f"[{subscript.value}]" if subscript is not None and subscript.field == "index" else ""
