"""What differs between two states of the contracts: fields and enum values added, removed or changed; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

OWN: Final = "tidegate."


@dataclass(frozen=True, slots=True)
class Element:
    """A field or an enum value as a contract states it."""

    # Message or enum that it belongs to, by full name.
    owner: str
    name: str
    # Type, number, presence and options: what readers and rules depend on.
    states: str
    # Messages and enums that the field holds, by full name.
    holds: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    kind: str  # added, removed or changed
    owner: str
    name: str
    before: str
    after: str


def elements(image: FileDescriptorSet) -> Mapping[tuple[str, str], Element]:
    """Every field and enum value of our own contracts, by owner and name."""
    found: dict[tuple[str, str], Element] = {}
    for file in image.file:
        if file.package.startswith(OWN):
            for element in _of_file(file):
                found[element.owner, element.name] = element
    return found


def changes(before: FileDescriptorSet, after: FileDescriptorSet) -> list[Change]:
    """What differs, in the order of names. A comment is no difference."""
    old, new = elements(before), elements(after)
    listed = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was is None and now is not None:
            listed.append(Change("added", *key, "", now.states))
        elif now is None and was is not None:
            listed.append(Change("removed", *key, was.states, ""))
        elif was is not None and now is not None and was.states != now.states:
            listed.append(Change("changed", *key, was.states, now.states))
    return listed


def holders(image: FileDescriptorSet) -> Mapping[str, frozenset[str]]:
    """For each message or enum: the messages that hold it, at whatever depth, itself included."""
    direct: dict[str, set[str]] = {}
    for element in elements(image).values():
        direct.setdefault(element.owner, set())
        if element.holds:
            direct.setdefault(element.holds, set()).add(element.owner)
    return {name: frozenset(_closure(name, direct)) for name in direct}


def _closure(name: str, direct: Mapping[str, set[str]]) -> set[str]:
    reached, open_ = {name}, [name]
    while open_:
        for owner in direct.get(open_.pop(), ()):
            if owner not in reached:
                reached.add(owner)
                open_.append(owner)
    return reached


def _of_file(file: FileDescriptorProto) -> Iterator[Element]:
    for message in file.message_type:
        yield from _of_message(f"{file.package}.{message.name}", message)
    for enum in file.enum_type:
        yield from _of_enum(f"{file.package}.{enum.name}", enum)


def _of_message(name: str, message: DescriptorProto) -> Iterator[Element]:
    for field in message.field:
        yield Element(name, field.name, _states(field), field.type_name.removeprefix("."))
    for nested in message.nested_type:
        yield from _of_message(f"{name}.{nested.name}", nested)
    for enum in message.enum_type:
        yield from _of_enum(f"{name}.{enum.name}", enum)


def _of_enum(name: str, enum: EnumDescriptorProto) -> Iterator[Element]:
    for value in enum.value:
        yield Element(name, value.name, f"= {value.number}")


def _states(field: FieldDescriptorProto) -> str:
    kind = field.type_name.removeprefix(".") or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    label = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    presence = "optional " if field.proto3_optional else ""
    options = " ".join(str(field.options).split())
    return f"{label}{presence}{kind} = {field.number}" + (f" [{options}]" if options else "")
