from buf.validate import validate_pb2 as _validate_pb2
from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from tidegate.ingress.v1 import receipt_pb2 as _receipt_pb2
from tidegate.stripe.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RefundWebhook(_message.Message):
    __slots__ = ("receipt", "merchant_id", "type", "event", "refund", "raw_body")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    REFUND_FIELD_NUMBER: _ClassVar[int]
    RAW_BODY_FIELD_NUMBER: _ClassVar[int]
    receipt: _receipt_pb2.Receipt
    merchant_id: str
    type: str
    event: _event_pb2.Event
    refund: Refund
    raw_body: bytes
    def __init__(self, receipt: _Optional[_Union[_receipt_pb2.Receipt, _Mapping]] = ..., merchant_id: _Optional[str] = ..., type: _Optional[str] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., refund: _Optional[_Union[Refund, _Mapping]] = ..., raw_body: _Optional[bytes] = ...) -> None: ...

class Refund(_message.Message):
    __slots__ = ("id", "amount", "currency", "status", "created", "charge", "payment_intent", "reason", "failure_reason", "customer", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_INTENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAILURE_REASON_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    amount: int
    currency: str
    status: str
    created: int
    charge: str
    payment_intent: str
    reason: str
    failure_reason: str
    customer: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., amount: _Optional[int] = ..., currency: _Optional[str] = ..., status: _Optional[str] = ..., created: _Optional[int] = ..., charge: _Optional[str] = ..., payment_intent: _Optional[str] = ..., reason: _Optional[str] = ..., failure_reason: _Optional[str] = ..., customer: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...
