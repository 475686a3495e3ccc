"""Reads the comments of contracts out of buf's image, by the full names of what they stand above."""

from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

# Field numbers of descriptor.proto that lead to an element in a file's source info.
_FILE_MESSAGES, _FILE_ENUMS = 4, 5
_MESSAGE_FIELDS, _MESSAGE_NESTED, _MESSAGE_ENUMS = 2, 3, 4
_ENUM_VALUES = 2

Path = tuple[int, ...]


def comments(files: Iterable[FileDescriptorProto]) -> Mapping[str, str]:
    """Comments of messages, fields, enums and their values: on one line, by full name (values under their enum's)."""
    told: dict[str, str] = {}
    for file in files:
        by_path = {tuple(each.path): each.leading_comments for each in file.source_code_info.location}
        for path, name in _elements(file):
            told[name] = " ".join(by_path.get(path, "").split())
    return told


def _elements(file: FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    for number, message in enumerate(file.message_type):
        yield from _of_message((_FILE_MESSAGES, number), f"{file.package}.{message.name}", message)
    for number, enum in enumerate(file.enum_type):
        yield from _of_enum((_FILE_ENUMS, number), f"{file.package}.{enum.name}", enum)


def _of_message(path: Path, name: str, message: DescriptorProto) -> Iterator[tuple[Path, str]]:
    yield path, name
    for number, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELDS, number), f"{name}.{field.name}"
    for number, nested in enumerate(message.nested_type):
        yield from _of_message((*path, _MESSAGE_NESTED, number), f"{name}.{nested.name}", nested)
    for number, enum in enumerate(message.enum_type):
        yield from _of_enum((*path, _MESSAGE_ENUMS, number), f"{name}.{enum.name}", enum)


def _of_enum(path: Path, name: str, enum: EnumDescriptorProto) -> Iterator[tuple[Path, str]]:
    yield path, name
    for number, value in enumerate(enum.value):
        yield (*path, _ENUM_VALUES, number), f"{name}.{value.name}"
