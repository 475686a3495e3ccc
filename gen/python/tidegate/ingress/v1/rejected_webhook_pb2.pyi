from buf.validate import validate_pb2 as _validate_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from tidegate.ingress.v1 import receipt_pb2 as _receipt_pb2
from tidegate.ingress.v1 import violation_pb2 as _violation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RejectedWebhook(_message.Message):
    __slots__ = ("receipt", "event_id", "provider_event_type", "api_version", "violations", "raw_body")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    RAW_BODY_FIELD_NUMBER: _ClassVar[int]
    receipt: _receipt_pb2.Receipt
    event_id: str
    provider_event_type: str
    api_version: str
    violations: _containers.RepeatedCompositeFieldContainer[_violation_pb2.Violation]
    raw_body: bytes
    def __init__(self, receipt: _Optional[_Union[_receipt_pb2.Receipt, _Mapping]] = ..., event_id: _Optional[str] = ..., provider_event_type: _Optional[str] = ..., api_version: _Optional[str] = ..., violations: _Optional[_Iterable[_Union[_violation_pb2.Violation, _Mapping]]] = ..., raw_body: _Optional[bytes] = ...) -> None: ...
