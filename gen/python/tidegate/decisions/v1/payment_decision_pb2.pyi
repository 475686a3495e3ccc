import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from tidegate.inference.v1 import churn_service_pb2 as _churn_service_pb2
from tidegate.inference.v1 import fraud_service_pb2 as _fraud_service_pb2
from tidegate.inference.v1 import recovery_service_pb2 as _recovery_service_pb2
from tidegate.inference.v1 import retry_service_pb2 as _retry_service_pb2
from tidegate.ingress.v1 import receipt_pb2 as _receipt_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DecisionAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_ACTION_UNSPECIFIED: _ClassVar[DecisionAction]
    DECISION_ACTION_RECORD: _ClassVar[DecisionAction]
    DECISION_ACTION_APPROVE: _ClassVar[DecisionAction]
    DECISION_ACTION_REVIEW: _ClassVar[DecisionAction]
    DECISION_ACTION_BLOCK: _ClassVar[DecisionAction]
    DECISION_ACTION_RETRY: _ClassVar[DecisionAction]
    DECISION_ACTION_DO_NOT_RETRY: _ClassVar[DecisionAction]
    DECISION_ACTION_UPDATE_PAYMENT_METHOD: _ClassVar[DecisionAction]
    DECISION_ACTION_AUTHENTICATE: _ClassVar[DecisionAction]
DECISION_ACTION_UNSPECIFIED: DecisionAction
DECISION_ACTION_RECORD: DecisionAction
DECISION_ACTION_APPROVE: DecisionAction
DECISION_ACTION_REVIEW: DecisionAction
DECISION_ACTION_BLOCK: DecisionAction
DECISION_ACTION_RETRY: DecisionAction
DECISION_ACTION_DO_NOT_RETRY: DecisionAction
DECISION_ACTION_UPDATE_PAYMENT_METHOD: DecisionAction
DECISION_ACTION_AUTHENTICATE: DecisionAction

class PaymentDecision(_message.Message):
    __slots__ = ("event_id", "payment_id", "merchant_id", "customer_id", "provider", "event_type", "amount_cents", "currency", "action", "rule_hits", "degraded", "degraded_steps", "fraud", "retry", "churn", "recovery", "decided_at", "receipt_id", "schema_version")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_CENTS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RULE_HITS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_STEPS_FIELD_NUMBER: _ClassVar[int]
    FRAUD_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    CHURN_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    payment_id: str
    merchant_id: str
    customer_id: str
    provider: _receipt_pb2.Provider
    event_type: str
    amount_cents: int
    currency: str
    action: DecisionAction
    rule_hits: _containers.RepeatedCompositeFieldContainer[RuleHit]
    degraded: bool
    degraded_steps: _containers.RepeatedCompositeFieldContainer[DegradedStep]
    fraud: _fraud_service_pb2.ScoreResponse
    retry: _retry_service_pb2.RecommendStrategyResponse
    churn: _churn_service_pb2.PredictResponse
    recovery: _recovery_service_pb2.RecommendPlanResponse
    decided_at: _timestamp_pb2.Timestamp
    receipt_id: str
    schema_version: int
    def __init__(self, event_id: _Optional[str] = ..., payment_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., provider: _Optional[_Union[_receipt_pb2.Provider, str]] = ..., event_type: _Optional[str] = ..., amount_cents: _Optional[int] = ..., currency: _Optional[str] = ..., action: _Optional[_Union[DecisionAction, str]] = ..., rule_hits: _Optional[_Iterable[_Union[RuleHit, _Mapping]]] = ..., degraded: _Optional[bool] = ..., degraded_steps: _Optional[_Iterable[_Union[DegradedStep, _Mapping]]] = ..., fraud: _Optional[_Union[_fraud_service_pb2.ScoreResponse, _Mapping]] = ..., retry: _Optional[_Union[_retry_service_pb2.RecommendStrategyResponse, _Mapping]] = ..., churn: _Optional[_Union[_churn_service_pb2.PredictResponse, _Mapping]] = ..., recovery: _Optional[_Union[_recovery_service_pb2.RecommendPlanResponse, _Mapping]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., receipt_id: _Optional[str] = ..., schema_version: _Optional[int] = ...) -> None: ...

class RuleHit(_message.Message):
    __slots__ = ("rule_id", "description")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    description: str
    def __init__(self, rule_id: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class DegradedStep(_message.Message):
    __slots__ = ("step", "cause")
    STEP_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    step: str
    cause: str
    def __init__(self, step: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...
