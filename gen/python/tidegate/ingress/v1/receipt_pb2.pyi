import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Provider(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVIDER_UNSPECIFIED: _ClassVar[Provider]
    PROVIDER_STRIPE: _ClassVar[Provider]
    PROVIDER_SQUARE: _ClassVar[Provider]
    PROVIDER_PAYPAL: _ClassVar[Provider]
    PROVIDER_ADYEN: _ClassVar[Provider]

class SignatureScheme(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIGNATURE_SCHEME_UNSPECIFIED: _ClassVar[SignatureScheme]
    SIGNATURE_SCHEME_STRIPE_V1: _ClassVar[SignatureScheme]
    SIGNATURE_SCHEME_SQUARE_HMAC_SHA256: _ClassVar[SignatureScheme]
    SIGNATURE_SCHEME_PAYPAL_RSA_SHA256: _ClassVar[SignatureScheme]
    SIGNATURE_SCHEME_ADYEN_ITEM_HMAC: _ClassVar[SignatureScheme]
    SIGNATURE_SCHEME_ADYEN_BODY_HMAC: _ClassVar[SignatureScheme]
    SIGNATURE_SCHEME_STANDARD_WEBHOOKS_V1: _ClassVar[SignatureScheme]
PROVIDER_UNSPECIFIED: Provider
PROVIDER_STRIPE: Provider
PROVIDER_SQUARE: Provider
PROVIDER_PAYPAL: Provider
PROVIDER_ADYEN: Provider
SIGNATURE_SCHEME_UNSPECIFIED: SignatureScheme
SIGNATURE_SCHEME_STRIPE_V1: SignatureScheme
SIGNATURE_SCHEME_SQUARE_HMAC_SHA256: SignatureScheme
SIGNATURE_SCHEME_PAYPAL_RSA_SHA256: SignatureScheme
SIGNATURE_SCHEME_ADYEN_ITEM_HMAC: SignatureScheme
SIGNATURE_SCHEME_ADYEN_BODY_HMAC: SignatureScheme
SIGNATURE_SCHEME_STANDARD_WEBHOOKS_V1: SignatureScheme

class Receipt(_message.Message):
    __slots__ = ("receipt_id", "provider", "received_at", "scheme", "key_id", "signed_at", "body_sha256", "body_bytes")
    RECEIPT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNED_AT_FIELD_NUMBER: _ClassVar[int]
    BODY_SHA256_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    receipt_id: str
    provider: Provider
    received_at: _timestamp_pb2.Timestamp
    scheme: SignatureScheme
    key_id: str
    signed_at: _timestamp_pb2.Timestamp
    body_sha256: bytes
    body_bytes: int
    def __init__(self, receipt_id: _Optional[str] = ..., provider: _Optional[_Union[Provider, str]] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scheme: _Optional[_Union[SignatureScheme, str]] = ..., key_id: _Optional[str] = ..., signed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., body_sha256: _Optional[bytes] = ..., body_bytes: _Optional[int] = ...) -> None: ...
