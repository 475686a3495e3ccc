from buf.validate import validate_pb2 as _validate_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from tidegate.ingress.v1 import receipt_pb2 as _receipt_pb2
from tidegate.stripe.v1 import card_pb2 as _card_pb2
from tidegate.stripe.v1 import charge_pb2 as _charge_pb2
from tidegate.stripe.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PaymentIntentWebhook(_message.Message):
    __slots__ = ("receipt", "merchant_id", "type", "event", "payment_intent", "raw_body")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_INTENT_FIELD_NUMBER: _ClassVar[int]
    RAW_BODY_FIELD_NUMBER: _ClassVar[int]
    receipt: _receipt_pb2.Receipt
    merchant_id: str
    type: str
    event: _event_pb2.Event
    payment_intent: PaymentIntent
    raw_body: bytes
    def __init__(self, receipt: _Optional[_Union[_receipt_pb2.Receipt, _Mapping]] = ..., merchant_id: _Optional[str] = ..., type: _Optional[str] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., payment_intent: _Optional[_Union[PaymentIntent, _Mapping]] = ..., raw_body: _Optional[bytes] = ...) -> None: ...

class PaymentIntent(_message.Message):
    __slots__ = ("id", "amount", "amount_capturable", "amount_received", "currency", "customer", "status", "created", "capture_method", "cancellation_reason", "invoice", "last_payment_error", "latest_charge", "charges", "payment_method", "payment_method_types", "metadata", "on_behalf_of")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_CAPTURABLE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_METHOD_FIELD_NUMBER: _ClassVar[int]
    CANCELLATION_REASON_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    LAST_PAYMENT_ERROR_FIELD_NUMBER: _ClassVar[int]
    LATEST_CHARGE_FIELD_NUMBER: _ClassVar[int]
    CHARGES_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_TYPES_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    id: str
    amount: int
    amount_capturable: int
    amount_received: int
    currency: str
    customer: str
    status: str
    created: int
    capture_method: str
    cancellation_reason: str
    invoice: str
    last_payment_error: PaymentError
    latest_charge: str
    charges: ChargeList
    payment_method: str
    payment_method_types: _containers.RepeatedScalarFieldContainer[str]
    metadata: _containers.ScalarMap[str, str]
    on_behalf_of: str
    def __init__(self, id: _Optional[str] = ..., amount: _Optional[int] = ..., amount_capturable: _Optional[int] = ..., amount_received: _Optional[int] = ..., currency: _Optional[str] = ..., customer: _Optional[str] = ..., status: _Optional[str] = ..., created: _Optional[int] = ..., capture_method: _Optional[str] = ..., cancellation_reason: _Optional[str] = ..., invoice: _Optional[str] = ..., last_payment_error: _Optional[_Union[PaymentError, _Mapping]] = ..., latest_charge: _Optional[str] = ..., charges: _Optional[_Union[ChargeList, _Mapping]] = ..., payment_method: _Optional[str] = ..., payment_method_types: _Optional[_Iterable[str]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., on_behalf_of: _Optional[str] = ...) -> None: ...

class ChargeList(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[_charge_pb2.Charge]
    def __init__(self, data: _Optional[_Iterable[_Union[_charge_pb2.Charge, _Mapping]]] = ...) -> None: ...

class PaymentError(_message.Message):
    __slots__ = ("type", "code", "decline_code", "advice_code", "network_advice_code", "network_decline_code", "message", "charge", "payment_method", "source")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CODE_FIELD_NUMBER: _ClassVar[int]
    ADVICE_CODE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ADVICE_CODE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_DECLINE_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    type: str
    code: str
    decline_code: str
    advice_code: str
    network_advice_code: str
    network_decline_code: str
    message: str
    charge: str
    payment_method: _card_pb2.PaymentMethod
    source: _card_pb2.Source
    def __init__(self, type: _Optional[str] = ..., code: _Optional[str] = ..., decline_code: _Optional[str] = ..., advice_code: _Optional[str] = ..., network_advice_code: _Optional[str] = ..., network_decline_code: _Optional[str] = ..., message: _Optional[str] = ..., charge: _Optional[str] = ..., payment_method: _Optional[_Union[_card_pb2.PaymentMethod, _Mapping]] = ..., source: _Optional[_Union[_card_pb2.Source, _Mapping]] = ...) -> None: ...
