import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from tidegate.ingress.v1 import receipt_pb2 as _receipt_pb2
from tidegate.payments.v1 import unified_payment_event_pb2 as _unified_payment_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FallbackCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FALLBACK_CAUSE_UNSPECIFIED: _ClassVar[FallbackCause]
    FALLBACK_CAUSE_NO_MODEL: _ClassVar[FallbackCause]
    FALLBACK_CAUSE_FEATURES_UNAVAILABLE: _ClassVar[FallbackCause]
    FALLBACK_CAUSE_FEATURES_STALE: _ClassVar[FallbackCause]
    FALLBACK_CAUSE_MODEL_ERROR: _ClassVar[FallbackCause]
    FALLBACK_CAUSE_DEADLINE: _ClassVar[FallbackCause]
    FALLBACK_CAUSE_NOT_COVERED: _ClassVar[FallbackCause]
FALLBACK_CAUSE_UNSPECIFIED: FallbackCause
FALLBACK_CAUSE_NO_MODEL: FallbackCause
FALLBACK_CAUSE_FEATURES_UNAVAILABLE: FallbackCause
FALLBACK_CAUSE_FEATURES_STALE: FallbackCause
FALLBACK_CAUSE_MODEL_ERROR: FallbackCause
FALLBACK_CAUSE_DEADLINE: FallbackCause
FALLBACK_CAUSE_NOT_COVERED: FallbackCause

class PaymentContext(_message.Message):
    __slots__ = ("payment_id", "merchant_id", "customer_id", "amount_cents", "currency", "occurred_at", "provider", "payment_method_type", "card_brand", "card_fingerprint", "card_country", "card_funding", "card_exp_month", "card_exp_year", "failure_code", "decline_class", "network_decline_code", "network_advice_code", "provider_advice_code", "provider_risk_score", "previous_attempts", "recurring", "previous_attempts_other_amounts", "event_id", "provider_object_id", "event_type")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_CENTS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_TYPE_FIELD_NUMBER: _ClassVar[int]
    CARD_BRAND_FIELD_NUMBER: _ClassVar[int]
    CARD_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CARD_COUNTRY_FIELD_NUMBER: _ClassVar[int]
    CARD_FUNDING_FIELD_NUMBER: _ClassVar[int]
    CARD_EXP_MONTH_FIELD_NUMBER: _ClassVar[int]
    CARD_EXP_YEAR_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CLASS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_DECLINE_CODE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ADVICE_CODE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_ADVICE_CODE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_RISK_SCORE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    RECURRING_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_ATTEMPTS_OTHER_AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_OBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    payment_id: str
    merchant_id: str
    customer_id: str
    amount_cents: int
    currency: str
    occurred_at: _timestamp_pb2.Timestamp
    provider: _receipt_pb2.Provider
    payment_method_type: str
    card_brand: str
    card_fingerprint: str
    card_country: str
    card_funding: str
    card_exp_month: int
    card_exp_year: int
    failure_code: str
    decline_class: _unified_payment_event_pb2.DeclineClass
    network_decline_code: str
    network_advice_code: str
    provider_advice_code: str
    provider_risk_score: int
    previous_attempts: _containers.RepeatedCompositeFieldContainer[_timestamp_pb2.Timestamp]
    recurring: bool
    previous_attempts_other_amounts: _containers.RepeatedCompositeFieldContainer[_timestamp_pb2.Timestamp]
    event_id: str
    provider_object_id: str
    event_type: str
    def __init__(self, payment_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., amount_cents: _Optional[int] = ..., currency: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., provider: _Optional[_Union[_receipt_pb2.Provider, str]] = ..., payment_method_type: _Optional[str] = ..., card_brand: _Optional[str] = ..., card_fingerprint: _Optional[str] = ..., card_country: _Optional[str] = ..., card_funding: _Optional[str] = ..., card_exp_month: _Optional[int] = ..., card_exp_year: _Optional[int] = ..., failure_code: _Optional[str] = ..., decline_class: _Optional[_Union[_unified_payment_event_pb2.DeclineClass, str]] = ..., network_decline_code: _Optional[str] = ..., network_advice_code: _Optional[str] = ..., provider_advice_code: _Optional[str] = ..., provider_risk_score: _Optional[int] = ..., previous_attempts: _Optional[_Iterable[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]]] = ..., recurring: _Optional[bool] = ..., previous_attempts_other_amounts: _Optional[_Iterable[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]]] = ..., event_id: _Optional[str] = ..., provider_object_id: _Optional[str] = ..., event_type: _Optional[str] = ...) -> None: ...

class FeatureUse(_message.Message):
    __slots__ = ("name", "age_ms", "missing", "stale")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    name: str
    age_ms: int
    missing: bool
    stale: bool
    def __init__(self, name: _Optional[str] = ..., age_ms: _Optional[int] = ..., missing: _Optional[bool] = ..., stale: _Optional[bool] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("model_name", "model_version", "model_alias", "fallback", "fallback_cause", "features", "predicted_at", "based_on")
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_ALIAS_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_CAUSE_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_AT_FIELD_NUMBER: _ClassVar[int]
    BASED_ON_FIELD_NUMBER: _ClassVar[int]
    model_name: str
    model_version: str
    model_alias: str
    fallback: bool
    fallback_cause: FallbackCause
    features: _containers.RepeatedCompositeFieldContainer[FeatureUse]
    predicted_at: _timestamp_pb2.Timestamp
    based_on: _containers.RepeatedCompositeFieldContainer[ModelVersion]
    def __init__(self, model_name: _Optional[str] = ..., model_version: _Optional[str] = ..., model_alias: _Optional[str] = ..., fallback: _Optional[bool] = ..., fallback_cause: _Optional[_Union[FallbackCause, str]] = ..., features: _Optional[_Iterable[_Union[FeatureUse, _Mapping]]] = ..., predicted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., based_on: _Optional[_Iterable[_Union[ModelVersion, _Mapping]]] = ...) -> None: ...

class ModelVersion(_message.Message):
    __slots__ = ("name", "version", "alias")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    alias: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., alias: _Optional[str] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("code", "description", "contribution")
    CODE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    code: str
    description: str
    contribution: float
    def __init__(self, code: _Optional[str] = ..., description: _Optional[str] = ..., contribution: _Optional[float] = ...) -> None: ...
