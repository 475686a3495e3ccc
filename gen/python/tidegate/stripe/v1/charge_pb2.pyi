from buf.validate import validate_pb2 as _validate_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from tidegate.ingress.v1 import receipt_pb2 as _receipt_pb2
from tidegate.stripe.v1 import card_pb2 as _card_pb2
from tidegate.stripe.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChargeWebhook(_message.Message):
    __slots__ = ("receipt", "merchant_id", "type", "event", "charge", "raw_body")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    RAW_BODY_FIELD_NUMBER: _ClassVar[int]
    receipt: _receipt_pb2.Receipt
    merchant_id: str
    type: str
    event: _event_pb2.Event
    charge: Charge
    raw_body: bytes
    def __init__(self, receipt: _Optional[_Union[_receipt_pb2.Receipt, _Mapping]] = ..., merchant_id: _Optional[str] = ..., type: _Optional[str] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., charge: _Optional[_Union[Charge, _Mapping]] = ..., raw_body: _Optional[bytes] = ...) -> None: ...

class Charge(_message.Message):
    __slots__ = ("id", "amount", "amount_captured", "amount_refunded", "currency", "customer", "status", "created", "captured", "paid", "refunded", "disputed", "failure_code", "failure_message", "outcome", "payment_intent", "invoice", "payment_method", "payment_method_details", "source", "metadata", "on_behalf_of", "card")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_CAPTURED_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_REFUNDED_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    REFUNDED_FIELD_NUMBER: _ClassVar[int]
    DISPUTED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CODE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_INTENT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_DETAILS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    id: str
    amount: int
    amount_captured: int
    amount_refunded: int
    currency: str
    customer: str
    status: str
    created: int
    captured: bool
    paid: bool
    refunded: bool
    disputed: bool
    failure_code: str
    failure_message: str
    outcome: _card_pb2.Outcome
    payment_intent: str
    invoice: str
    payment_method: str
    payment_method_details: _card_pb2.PaymentMethodDetails
    source: _card_pb2.Source
    metadata: _containers.ScalarMap[str, str]
    on_behalf_of: str
    card: _card_pb2.Card
    def __init__(self, id: _Optional[str] = ..., amount: _Optional[int] = ..., amount_captured: _Optional[int] = ..., amount_refunded: _Optional[int] = ..., currency: _Optional[str] = ..., customer: _Optional[str] = ..., status: _Optional[str] = ..., created: _Optional[int] = ..., captured: _Optional[bool] = ..., paid: _Optional[bool] = ..., refunded: _Optional[bool] = ..., disputed: _Optional[bool] = ..., failure_code: _Optional[str] = ..., failure_message: _Optional[str] = ..., outcome: _Optional[_Union[_card_pb2.Outcome, _Mapping]] = ..., payment_intent: _Optional[str] = ..., invoice: _Optional[str] = ..., payment_method: _Optional[str] = ..., payment_method_details: _Optional[_Union[_card_pb2.PaymentMethodDetails, _Mapping]] = ..., source: _Optional[_Union[_card_pb2.Source, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., on_behalf_of: _Optional[str] = ..., card: _Optional[_Union[_card_pb2.Card, _Mapping]] = ...) -> None: ...
