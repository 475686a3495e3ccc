from buf.validate import validate_pb2 as _validate_pb2
from tidegate.payments.v1 import validation_failure_pb2 as _validation_failure_pb2
from tidegate.review.v1 import payment_event_pb2 as _payment_event_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DlqReviewInput(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: _validation_failure_pb2.ValidationFailure
    def __init__(self, failure: _Optional[_Union[_validation_failure_pb2.ValidationFailure, _Mapping]] = ...) -> None: ...

class DlqReviewResult(_message.Message):
    __slots__ = ("event_id", "outcome")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    outcome: _payment_event_pb2.PersistOutcome
    def __init__(self, event_id: _Optional[str] = ..., outcome: _Optional[_Union[_payment_event_pb2.PersistOutcome, str]] = ...) -> None: ...
