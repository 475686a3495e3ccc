from buf.validate import validate_pb2 as _validate_pb2
from tidegate.inference.v1 import payment_context_pb2 as _payment_context_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FraudDecision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRAUD_DECISION_UNSPECIFIED: _ClassVar[FraudDecision]
    FRAUD_DECISION_ALLOW: _ClassVar[FraudDecision]
    FRAUD_DECISION_REVIEW: _ClassVar[FraudDecision]
    FRAUD_DECISION_BLOCK: _ClassVar[FraudDecision]
FRAUD_DECISION_UNSPECIFIED: FraudDecision
FRAUD_DECISION_ALLOW: FraudDecision
FRAUD_DECISION_REVIEW: FraudDecision
FRAUD_DECISION_BLOCK: FraudDecision

class ScoreRequest(_message.Message):
    __slots__ = ("payment",)
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    payment: _payment_context_pb2.PaymentContext
    def __init__(self, payment: _Optional[_Union[_payment_context_pb2.PaymentContext, _Mapping]] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("fraud_probability", "decision", "review_threshold", "block_threshold", "reasons", "provenance")
    FRAUD_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REVIEW_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    BLOCK_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    fraud_probability: float
    decision: FraudDecision
    review_threshold: float
    block_threshold: float
    reasons: _containers.RepeatedCompositeFieldContainer[_payment_context_pb2.Reason]
    provenance: _payment_context_pb2.Provenance
    def __init__(self, fraud_probability: _Optional[float] = ..., decision: _Optional[_Union[FraudDecision, str]] = ..., review_threshold: _Optional[float] = ..., block_threshold: _Optional[float] = ..., reasons: _Optional[_Iterable[_Union[_payment_context_pb2.Reason, _Mapping]]] = ..., provenance: _Optional[_Union[_payment_context_pb2.Provenance, _Mapping]] = ...) -> None: ...
