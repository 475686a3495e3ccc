"""Frames messages as Confluent does (magic 0, schema id, message index, bytes) without a registry call per message.

Reading and writing check the contract's rules, so that no invalid message gets onto a topic or past its consumer.
"""

import struct
from typing import Generic, Protocol, TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from services.runtime import contract
from services.runtime.errors import BrokenRule, InvalidMessageError, Position

_MAGIC = 0
_HEADER = struct.Struct(">bI")

M = TypeVar("M", bound=Message)


class SchemaIds(Protocol):
    """Knows the registry's ids. A caller must not assume an answer without a network round trip: cache it."""

    def latest(self, subject: str) -> int:
        """Id of the newest schema of a subject; DeployStepMissingError where nothing is registered."""
        ...

    def belongs(self, schema_id: int, subject: str) -> bool:
        """Whether a schema id is a version of a subject."""
        ...


class TopicSerde(Generic[M]):
    """Reads and writes the values of one topic. Asks the registry once at start and once for each id it first meets."""

    def __init__(self, topic: str, message_type: type[M], ids: SchemaIds) -> None:
        self.topic = topic
        self.subject = f"{topic}-value"
        self._type = message_type
        self._ids = ids
        self._index = encode_message_index(message_index(cast("Descriptor", message_type.DESCRIPTOR)))
        self._prefix = _HEADER.pack(_MAGIC, ids.latest(self.subject)) + self._index
        self._known_prefixes = {self._prefix}

    def encode(self, message: M) -> bytes:
        """Check and frame a message; ContractViolationError when it breaks its contract."""
        contract.check(message)
        return self.frame(message)

    def decode(self, value: bytes | None, *, partition: int, offset: int) -> M:
        """Unframe and check a value; InvalidMessageError when it cannot be read or breaks its contract."""
        position = Position(self.topic, partition, offset)
        message = self.unframe(value, position)
        if broken := contract.broken_rules(message):
            raise InvalidMessageError(position, broken)
        return message

    def frame(self, message: M) -> bytes:
        """Put the prefix before an already checked message."""
        return self._prefix + message.SerializeToString()

    def unframe(self, value: bytes | None, position: Position) -> M:
        """Read a framed value without checking the contract's rules."""
        size = len(self._prefix)
        if value is None:
            raise _poison(position, "wire.empty", "a message has a value; this one is a tombstone")
        if value[:size] not in self._known_prefixes:
            self._learn(value, position)
        try:
            return self._type.FromString(value[size:])
        except DecodeError as error:
            raise _poison(position, "wire.undecodable", "the bytes are no message of this type") from error

    def _learn(self, value: bytes, position: Position) -> None:
        size = len(self._prefix)
        if len(value) < size or value[0] != _MAGIC:
            raise _poison(position, "wire.unframed", "a value starts with magic byte 0 and a schema id")
        if value[_HEADER.size : size] != self._index:
            raise _poison(position, "wire.message_index", f"the message index is not that of {self.subject}")
        schema_id = _HEADER.unpack_from(value)[1]
        if not self._ids.belongs(schema_id, self.subject):
            raise _poison(position, "wire.schema_unknown", f"schema id {schema_id} is no version of {self.subject}")
        self._known_prefixes.add(value[:size])


def message_index(descriptor: Descriptor) -> list[int]:
    """Where a message stands in its file: its index, after those of the messages around it."""
    path = []
    current = descriptor
    while current.containing_type is not None:
        path.append(current.containing_type.nested_types.index(current))
        current = current.containing_type
    path.append(list(current.file.message_types_by_name.values()).index(current))
    return path[::-1]


def encode_message_index(path: list[int]) -> bytes:
    """Confluent's form of a message index: zigzag varints after their count; the first message is a single 0."""
    if path == [0]:
        return b"\x00"
    return b"".join(_zigzag_varint(number) for number in (len(path), *path))


def _zigzag_varint(number: int) -> bytes:
    rest = number << 1  # never negative here
    out = bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _poison(position: Position, rule_id: str, message: str) -> InvalidMessageError:
    return InvalidMessageError(position, [BrokenRule(rule_id, "", message)])
