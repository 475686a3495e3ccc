import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tidegate.inference.v1 import payment_context_pb2 as _payment_context_pb2
from tidegate.payments.v1 import unified_payment_event_pb2 as _unified_payment_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RetryAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRY_ACTION_UNSPECIFIED: _ClassVar[RetryAction]
    RETRY_ACTION_RETRY: _ClassVar[RetryAction]
    RETRY_ACTION_DO_NOT_RETRY: _ClassVar[RetryAction]
    RETRY_ACTION_UPDATE_PAYMENT_METHOD: _ClassVar[RetryAction]
    RETRY_ACTION_AUTHENTICATE: _ClassVar[RetryAction]
RETRY_ACTION_UNSPECIFIED: RetryAction
RETRY_ACTION_RETRY: RetryAction
RETRY_ACTION_DO_NOT_RETRY: RetryAction
RETRY_ACTION_UPDATE_PAYMENT_METHOD: RetryAction
RETRY_ACTION_AUTHENTICATE: RetryAction

class RecommendStrategyRequest(_message.Message):
    __slots__ = ("payment",)
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    payment: _payment_context_pb2.PaymentContext
    def __init__(self, payment: _Optional[_Union[_payment_context_pb2.PaymentContext, _Mapping]] = ...) -> None: ...

class RecommendStrategyResponse(_message.Message):
    __slots__ = ("action", "retry_at", "decline_class", "attempts_left", "network_rule", "success_probability", "reasons", "provenance", "recovery_probability")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RETRY_AT_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CLASS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_LEFT_FIELD_NUMBER: _ClassVar[int]
    NETWORK_RULE_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    action: RetryAction
    retry_at: _timestamp_pb2.Timestamp
    decline_class: _unified_payment_event_pb2.DeclineClass
    attempts_left: int
    network_rule: str
    success_probability: float
    reasons: _containers.RepeatedCompositeFieldContainer[_payment_context_pb2.Reason]
    provenance: _payment_context_pb2.Provenance
    recovery_probability: float
    def __init__(self, action: _Optional[_Union[RetryAction, str]] = ..., retry_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decline_class: _Optional[_Union[_unified_payment_event_pb2.DeclineClass, str]] = ..., attempts_left: _Optional[int] = ..., network_rule: _Optional[str] = ..., success_probability: _Optional[float] = ..., reasons: _Optional[_Iterable[_Union[_payment_context_pb2.Reason, _Mapping]]] = ..., provenance: _Optional[_Union[_payment_context_pb2.Provenance, _Mapping]] = ..., recovery_probability: _Optional[float] = ...) -> None: ...
