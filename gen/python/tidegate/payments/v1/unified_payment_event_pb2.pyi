import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from tidegate.ingress.v1 import receipt_pb2 as _receipt_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PaymentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_STATUS_UNSPECIFIED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_CREATED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_PROCESSING: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_REQUIRES_ACTION: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_AUTHORIZED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_SUCCEEDED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_FAILED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_CANCELED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_EXPIRED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_REFUND_PENDING: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_REFUNDED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_REFUND_FAILED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_DISPUTED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_DISPUTE_WON: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_DISPUTE_LOST: _ClassVar[PaymentStatus]

class DeclineClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECLINE_CLASS_UNSPECIFIED: _ClassVar[DeclineClass]
    DECLINE_CLASS_INSUFFICIENT_FUNDS: _ClassVar[DeclineClass]
    DECLINE_CLASS_TRANSIENT: _ClassVar[DeclineClass]
    DECLINE_CLASS_GENERIC: _ClassVar[DeclineClass]
    DECLINE_CLASS_CARD_DATA: _ClassVar[DeclineClass]
    DECLINE_CLASS_AUTHENTICATION: _ClassVar[DeclineClass]
    DECLINE_CLASS_HARD: _ClassVar[DeclineClass]
    DECLINE_CLASS_FRAUD: _ClassVar[DeclineClass]
    DECLINE_CLASS_NOT_PERMITTED: _ClassVar[DeclineClass]
    DECLINE_CLASS_INTEGRATION: _ClassVar[DeclineClass]
    DECLINE_CLASS_UNKNOWN: _ClassVar[DeclineClass]
PAYMENT_STATUS_UNSPECIFIED: PaymentStatus
PAYMENT_STATUS_CREATED: PaymentStatus
PAYMENT_STATUS_PROCESSING: PaymentStatus
PAYMENT_STATUS_REQUIRES_ACTION: PaymentStatus
PAYMENT_STATUS_AUTHORIZED: PaymentStatus
PAYMENT_STATUS_SUCCEEDED: PaymentStatus
PAYMENT_STATUS_FAILED: PaymentStatus
PAYMENT_STATUS_CANCELED: PaymentStatus
PAYMENT_STATUS_EXPIRED: PaymentStatus
PAYMENT_STATUS_REFUND_PENDING: PaymentStatus
PAYMENT_STATUS_REFUNDED: PaymentStatus
PAYMENT_STATUS_REFUND_FAILED: PaymentStatus
PAYMENT_STATUS_DISPUTED: PaymentStatus
PAYMENT_STATUS_DISPUTE_WON: PaymentStatus
PAYMENT_STATUS_DISPUTE_LOST: PaymentStatus
DECLINE_CLASS_UNSPECIFIED: DeclineClass
DECLINE_CLASS_INSUFFICIENT_FUNDS: DeclineClass
DECLINE_CLASS_TRANSIENT: DeclineClass
DECLINE_CLASS_GENERIC: DeclineClass
DECLINE_CLASS_CARD_DATA: DeclineClass
DECLINE_CLASS_AUTHENTICATION: DeclineClass
DECLINE_CLASS_HARD: DeclineClass
DECLINE_CLASS_FRAUD: DeclineClass
DECLINE_CLASS_NOT_PERMITTED: DeclineClass
DECLINE_CLASS_INTEGRATION: DeclineClass
DECLINE_CLASS_UNKNOWN: DeclineClass

class UnifiedPaymentEvent(_message.Message):
    __slots__ = ("event_id", "provider", "provider_event_id", "event_type", "merchant_id", "customer_id", "amount_cents", "currency", "payment_method_type", "card_brand", "card_last_four", "status", "failure_code", "failure_message", "metadata", "provider_created_at", "processed_at", "schema_version", "payment_id", "provider_object_id", "receipt_id", "decline_class", "network_decline_code", "network_advice_code", "provider_advice_code", "card_fingerprint", "card_country", "card_funding", "card_exp_month", "card_exp_year", "amount_captured_cents", "amount_refunded_cents", "invoice_id", "provider_risk_score", "reason", "livemode")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_CENTS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_TYPE_FIELD_NUMBER: _ClassVar[int]
    CARD_BRAND_FIELD_NUMBER: _ClassVar[int]
    CARD_LAST_FOUR_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    PROCESSED_AT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_OBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_ID_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CLASS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_DECLINE_CODE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ADVICE_CODE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_ADVICE_CODE_FIELD_NUMBER: _ClassVar[int]
    CARD_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CARD_COUNTRY_FIELD_NUMBER: _ClassVar[int]
    CARD_FUNDING_FIELD_NUMBER: _ClassVar[int]
    CARD_EXP_MONTH_FIELD_NUMBER: _ClassVar[int]
    CARD_EXP_YEAR_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_CAPTURED_CENTS_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_REFUNDED_CENTS_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_RISK_SCORE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LIVEMODE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    provider: _receipt_pb2.Provider
    provider_event_id: str
    event_type: str
    merchant_id: str
    customer_id: str
    amount_cents: int
    currency: str
    payment_method_type: str
    card_brand: str
    card_last_four: str
    status: PaymentStatus
    failure_code: str
    failure_message: str
    metadata: _containers.ScalarMap[str, str]
    provider_created_at: _timestamp_pb2.Timestamp
    processed_at: _timestamp_pb2.Timestamp
    schema_version: int
    payment_id: str
    provider_object_id: str
    receipt_id: str
    decline_class: DeclineClass
    network_decline_code: str
    network_advice_code: str
    provider_advice_code: str
    card_fingerprint: str
    card_country: str
    card_funding: str
    card_exp_month: int
    card_exp_year: int
    amount_captured_cents: int
    amount_refunded_cents: int
    invoice_id: str
    provider_risk_score: int
    reason: str
    livemode: bool
    def __init__(self, event_id: _Optional[str] = ..., provider: _Optional[_Union[_receipt_pb2.Provider, str]] = ..., provider_event_id: _Optional[str] = ..., event_type: _Optional[str] = ..., merchant_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., amount_cents: _Optional[int] = ..., currency: _Optional[str] = ..., payment_method_type: _Optional[str] = ..., card_brand: _Optional[str] = ..., card_last_four: _Optional[str] = ..., status: _Optional[_Union[PaymentStatus, str]] = ..., failure_code: _Optional[str] = ..., failure_message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., provider_created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., processed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., schema_version: _Optional[int] = ..., payment_id: _Optional[str] = ..., provider_object_id: _Optional[str] = ..., receipt_id: _Optional[str] = ..., decline_class: _Optional[_Union[DeclineClass, str]] = ..., network_decline_code: _Optional[str] = ..., network_advice_code: _Optional[str] = ..., provider_advice_code: _Optional[str] = ..., card_fingerprint: _Optional[str] = ..., card_country: _Optional[str] = ..., card_funding: _Optional[str] = ..., card_exp_month: _Optional[int] = ..., card_exp_year: _Optional[int] = ..., amount_captured_cents: _Optional[int] = ..., amount_refunded_cents: _Optional[int] = ..., invoice_id: _Optional[str] = ..., provider_risk_score: _Optional[int] = ..., reason: _Optional[str] = ..., livemode: _Optional[bool] = ...) -> None: ...
