from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Violation(_message.Message):
    __slots__ = ("rule_id", "field_path", "message", "redacted_value")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    FIELD_PATH_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REDACTED_VALUE_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    field_path: str
    message: str
    redacted_value: str
    def __init__(self, rule_id: _Optional[str] = ..., field_path: _Optional[str] = ..., message: _Optional[str] = ..., redacted_value: _Optional[str] = ...) -> None: ...
