from buf.validate import validate_pb2 as _validate_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Event(_message.Message):
    __slots__ = ("id", "api_version", "created", "account", "livemode", "pending_webhooks", "request")
    ID_FIELD_NUMBER: _ClassVar[int]
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    LIVEMODE_FIELD_NUMBER: _ClassVar[int]
    PENDING_WEBHOOKS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    id: str
    api_version: str
    created: int
    account: str
    livemode: bool
    pending_webhooks: int
    request: EventRequest
    def __init__(self, id: _Optional[str] = ..., api_version: _Optional[str] = ..., created: _Optional[int] = ..., account: _Optional[str] = ..., livemode: _Optional[bool] = ..., pending_webhooks: _Optional[int] = ..., request: _Optional[_Union[EventRequest, _Mapping]] = ...) -> None: ...

class EventRequest(_message.Message):
    __slots__ = ("id", "idempotency_key")
    ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    id: str
    idempotency_key: str
    def __init__(self, id: _Optional[str] = ..., idempotency_key: _Optional[str] = ...) -> None: ...
