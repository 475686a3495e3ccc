from buf.validate import validate_pb2 as _validate_pb2
from tidegate.inference.v1 import churn_service_pb2 as _churn_service_pb2
from tidegate.inference.v1 import fraud_service_pb2 as _fraud_service_pb2
from tidegate.inference.v1 import payment_context_pb2 as _payment_context_pb2
from tidegate.inference.v1 import recovery_service_pb2 as _recovery_service_pb2
from tidegate.inference.v1 import retry_service_pb2 as _retry_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Question(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUESTION_UNSPECIFIED: _ClassVar[Question]
    QUESTION_FRAUD: _ClassVar[Question]
    QUESTION_RETRY: _ClassVar[Question]
    QUESTION_CHURN: _ClassVar[Question]
    QUESTION_RECOVERY: _ClassVar[Question]
QUESTION_UNSPECIFIED: Question
QUESTION_FRAUD: Question
QUESTION_RETRY: Question
QUESTION_CHURN: Question
QUESTION_RECOVERY: Question

class AssessRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[AssessmentItem]
    def __init__(self, items: _Optional[_Iterable[_Union[AssessmentItem, _Mapping]]] = ...) -> None: ...

class AssessmentItem(_message.Message):
    __slots__ = ("payment", "questions")
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    payment: _payment_context_pb2.PaymentContext
    questions: _containers.RepeatedScalarFieldContainer[Question]
    def __init__(self, payment: _Optional[_Union[_payment_context_pb2.PaymentContext, _Mapping]] = ..., questions: _Optional[_Iterable[_Union[Question, str]]] = ...) -> None: ...

class AssessResponse(_message.Message):
    __slots__ = ("assessments",)
    ASSESSMENTS_FIELD_NUMBER: _ClassVar[int]
    assessments: _containers.RepeatedCompositeFieldContainer[Assessment]
    def __init__(self, assessments: _Optional[_Iterable[_Union[Assessment, _Mapping]]] = ...) -> None: ...

class Assessment(_message.Message):
    __slots__ = ("payment_id", "fraud", "retry", "churn", "recovery")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    FRAUD_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    CHURN_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    fraud: _fraud_service_pb2.ScoreResponse
    retry: _retry_service_pb2.RecommendStrategyResponse
    churn: _churn_service_pb2.PredictResponse
    recovery: _recovery_service_pb2.RecommendPlanResponse
    def __init__(self, payment_id: _Optional[str] = ..., fraud: _Optional[_Union[_fraud_service_pb2.ScoreResponse, _Mapping]] = ..., retry: _Optional[_Union[_retry_service_pb2.RecommendStrategyResponse, _Mapping]] = ..., churn: _Optional[_Union[_churn_service_pb2.PredictResponse, _Mapping]] = ..., recovery: _Optional[_Union[_recovery_service_pb2.RecommendPlanResponse, _Mapping]] = ...) -> None: ...
