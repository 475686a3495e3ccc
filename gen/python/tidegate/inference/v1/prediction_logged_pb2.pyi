import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from tidegate.inference.v1 import assessment_service_pb2 as _assessment_service_pb2
from tidegate.inference.v1 import payment_context_pb2 as _payment_context_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PredictionLogged(_message.Message):
    __slots__ = ("payment_id", "event_id", "merchant_id", "question", "model_name", "model_version", "model_alias", "shadow", "fallback", "fallback_cause", "score", "features", "entities", "occurred_at", "predicted_at")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_ALIAS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_CAUSE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_AT_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    event_id: str
    merchant_id: str
    question: _assessment_service_pb2.Question
    model_name: str
    model_version: str
    model_alias: str
    shadow: bool
    fallback: bool
    fallback_cause: _payment_context_pb2.FallbackCause
    score: float
    features: _containers.RepeatedCompositeFieldContainer[LoggedFeature]
    entities: _containers.RepeatedCompositeFieldContainer[LoggedEntity]
    occurred_at: _timestamp_pb2.Timestamp
    predicted_at: _timestamp_pb2.Timestamp
    def __init__(self, payment_id: _Optional[str] = ..., event_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., question: _Optional[_Union[_assessment_service_pb2.Question, str]] = ..., model_name: _Optional[str] = ..., model_version: _Optional[str] = ..., model_alias: _Optional[str] = ..., shadow: _Optional[bool] = ..., fallback: _Optional[bool] = ..., fallback_cause: _Optional[_Union[_payment_context_pb2.FallbackCause, str]] = ..., score: _Optional[float] = ..., features: _Optional[_Iterable[_Union[LoggedFeature, _Mapping]]] = ..., entities: _Optional[_Iterable[_Union[LoggedEntity, _Mapping]]] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., predicted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LoggedFeature(_message.Message):
    __slots__ = ("name", "value", "age_ms", "missing", "stale")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    age_ms: int
    missing: bool
    stale: bool
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., age_ms: _Optional[int] = ..., missing: _Optional[bool] = ..., stale: _Optional[bool] = ...) -> None: ...

class LoggedEntity(_message.Message):
    __slots__ = ("view", "key")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    view: str
    key: str
    def __init__(self, view: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...
