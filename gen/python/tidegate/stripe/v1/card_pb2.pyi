from tidegate.annotations.v1 import sensitivity_pb2 as _sensitivity_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Card(_message.Message):
    __slots__ = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "network", "object")
    BRAND_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    EXP_MONTH_FIELD_NUMBER: _ClassVar[int]
    EXP_YEAR_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    FUNDING_FIELD_NUMBER: _ClassVar[int]
    LAST4_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    brand: str
    country: str
    exp_month: int
    exp_year: int
    fingerprint: str
    funding: str
    last4: str
    network: str
    object: str
    def __init__(self, brand: _Optional[str] = ..., country: _Optional[str] = ..., exp_month: _Optional[int] = ..., exp_year: _Optional[int] = ..., fingerprint: _Optional[str] = ..., funding: _Optional[str] = ..., last4: _Optional[str] = ..., network: _Optional[str] = ..., object: _Optional[str] = ...) -> None: ...

class PaymentMethodDetails(_message.Message):
    __slots__ = ("type", "card")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    type: str
    card: Card
    def __init__(self, type: _Optional[str] = ..., card: _Optional[_Union[Card, _Mapping]] = ...) -> None: ...

class PaymentMethod(_message.Message):
    __slots__ = ("id", "type", "card")
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    id: str
    type: str
    card: Card
    def __init__(self, id: _Optional[str] = ..., type: _Optional[str] = ..., card: _Optional[_Union[Card, _Mapping]] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("object", "brand", "last4", "fingerprint", "country", "funding", "exp_month", "exp_year", "type", "card", "three_d_secure")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    LAST4_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    FUNDING_FIELD_NUMBER: _ClassVar[int]
    EXP_MONTH_FIELD_NUMBER: _ClassVar[int]
    EXP_YEAR_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    THREE_D_SECURE_FIELD_NUMBER: _ClassVar[int]
    object: str
    brand: str
    last4: str
    fingerprint: str
    country: str
    funding: str
    exp_month: int
    exp_year: int
    type: str
    card: Card
    three_d_secure: Card
    def __init__(self, object: _Optional[str] = ..., brand: _Optional[str] = ..., last4: _Optional[str] = ..., fingerprint: _Optional[str] = ..., country: _Optional[str] = ..., funding: _Optional[str] = ..., exp_month: _Optional[int] = ..., exp_year: _Optional[int] = ..., type: _Optional[str] = ..., card: _Optional[_Union[Card, _Mapping]] = ..., three_d_secure: _Optional[_Union[Card, _Mapping]] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("network_status", "reason", "risk_level", "risk_score", "advice_code", "network_advice_code", "network_decline_code", "type")
    NETWORK_STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RISK_LEVEL_FIELD_NUMBER: _ClassVar[int]
    RISK_SCORE_FIELD_NUMBER: _ClassVar[int]
    ADVICE_CODE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ADVICE_CODE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_DECLINE_CODE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    network_status: str
    reason: str
    risk_level: str
    risk_score: int
    advice_code: str
    network_advice_code: str
    network_decline_code: str
    type: str
    def __init__(self, network_status: _Optional[str] = ..., reason: _Optional[str] = ..., risk_level: _Optional[str] = ..., risk_score: _Optional[int] = ..., advice_code: _Optional[str] = ..., network_advice_code: _Optional[str] = ..., network_decline_code: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...
