import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tidegate.inference.v1 import payment_context_pb2 as _payment_context_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecoveryStepKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECOVERY_STEP_KIND_UNSPECIFIED: _ClassVar[RecoveryStepKind]
    RECOVERY_STEP_KIND_RETRY: _ClassVar[RecoveryStepKind]
    RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD: _ClassVar[RecoveryStepKind]
    RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION: _ClassVar[RecoveryStepKind]
    RECOVERY_STEP_KIND_NOTIFY: _ClassVar[RecoveryStepKind]
    RECOVERY_STEP_KIND_PAUSE: _ClassVar[RecoveryStepKind]
    RECOVERY_STEP_KIND_OFFER: _ClassVar[RecoveryStepKind]
    RECOVERY_STEP_KIND_HAND_OVER: _ClassVar[RecoveryStepKind]
RECOVERY_STEP_KIND_UNSPECIFIED: RecoveryStepKind
RECOVERY_STEP_KIND_RETRY: RecoveryStepKind
RECOVERY_STEP_KIND_REQUEST_PAYMENT_METHOD: RecoveryStepKind
RECOVERY_STEP_KIND_REQUEST_AUTHENTICATION: RecoveryStepKind
RECOVERY_STEP_KIND_NOTIFY: RecoveryStepKind
RECOVERY_STEP_KIND_PAUSE: RecoveryStepKind
RECOVERY_STEP_KIND_OFFER: RecoveryStepKind
RECOVERY_STEP_KIND_HAND_OVER: RecoveryStepKind

class RecommendPlanRequest(_message.Message):
    __slots__ = ("payment",)
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    payment: _payment_context_pb2.PaymentContext
    def __init__(self, payment: _Optional[_Union[_payment_context_pb2.PaymentContext, _Mapping]] = ...) -> None: ...

class RecoveryStep(_message.Message):
    __slots__ = ("kind", "not_before", "description")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    kind: RecoveryStepKind
    not_before: _timestamp_pb2.Timestamp
    description: str
    def __init__(self, kind: _Optional[_Union[RecoveryStepKind, str]] = ..., not_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...

class RecommendPlanResponse(_message.Message):
    __slots__ = ("steps", "expected_recovered_cents", "reasons", "provenance")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_RECOVERED_CENTS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[RecoveryStep]
    expected_recovered_cents: int
    reasons: _containers.RepeatedCompositeFieldContainer[_payment_context_pb2.Reason]
    provenance: _payment_context_pb2.Provenance
    def __init__(self, steps: _Optional[_Iterable[_Union[RecoveryStep, _Mapping]]] = ..., expected_recovered_cents: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[_payment_context_pb2.Reason, _Mapping]]] = ..., provenance: _Optional[_Union[_payment_context_pb2.Provenance, _Mapping]] = ...) -> None: ...
