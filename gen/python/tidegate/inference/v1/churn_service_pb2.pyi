from buf.validate import validate_pb2 as _validate_pb2
from tidegate.inference.v1 import payment_context_pb2 as _payment_context_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChurnRisk(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHURN_RISK_UNSPECIFIED: _ClassVar[ChurnRisk]
    CHURN_RISK_LOW: _ClassVar[ChurnRisk]
    CHURN_RISK_MEDIUM: _ClassVar[ChurnRisk]
    CHURN_RISK_HIGH: _ClassVar[ChurnRisk]
CHURN_RISK_UNSPECIFIED: ChurnRisk
CHURN_RISK_LOW: ChurnRisk
CHURN_RISK_MEDIUM: ChurnRisk
CHURN_RISK_HIGH: ChurnRisk

class PredictRequest(_message.Message):
    __slots__ = ("payment", "horizon_days")
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    HORIZON_DAYS_FIELD_NUMBER: _ClassVar[int]
    payment: _payment_context_pb2.PaymentContext
    horizon_days: int
    def __init__(self, payment: _Optional[_Union[_payment_context_pb2.PaymentContext, _Mapping]] = ..., horizon_days: _Optional[int] = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("churn_probability", "risk", "horizon_days", "reasons", "provenance", "medium_threshold", "high_threshold")
    CHURN_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    HORIZON_DAYS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    MEDIUM_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    HIGH_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    churn_probability: float
    risk: ChurnRisk
    horizon_days: int
    reasons: _containers.RepeatedCompositeFieldContainer[_payment_context_pb2.Reason]
    provenance: _payment_context_pb2.Provenance
    medium_threshold: float
    high_threshold: float
    def __init__(self, churn_probability: _Optional[float] = ..., risk: _Optional[_Union[ChurnRisk, str]] = ..., horizon_days: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[_payment_context_pb2.Reason, _Mapping]]] = ..., provenance: _Optional[_Union[_payment_context_pb2.Provenance, _Mapping]] = ..., medium_threshold: _Optional[float] = ..., high_threshold: _Optional[float] = ...) -> None: ...
