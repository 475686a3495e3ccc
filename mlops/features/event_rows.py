"""Rows of a history as the events that they tell of; pure, so that whoever reads Parquet has no way round the contract.

A history is a folder with `history.parquet`: in order of arrival, with the fields of UnifiedPaymentEvent and enums in
words (docs/world.md).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.ingress.v1.receipt_pb2 import Provider
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass, PaymentStatus, UnifiedPaymentEvent

HISTORY_FILE: Final = "history.parquet"
COLUMNS: Final = tuple(field.name for field in UnifiedPaymentEvent.DESCRIPTOR.fields)
"""All of them must be there."""

_ENUMS: Final[Mapping[str, Any]] = {"provider": Provider, "status": PaymentStatus, "decline_class": DeclineClass}
_PREFIXES: Final = {"provider": "PROVIDER_", "status": "PAYMENT_STATUS_", "decline_class": "DECLINE_CLASS_"}
_TIMES: Final = ("provider_created_at", "processed_at")


def event_of(row: Mapping[str, Any]) -> UnifiedPaymentEvent:
    """The event of one row; what is None there is absent here."""
    return UnifiedPaymentEvent(**{name: _value(name, value) for name, value in row.items() if value is not None})


def _value(name: str, value: Any) -> Any:
    if name in _ENUMS:
        return _ENUMS[name].Value(_PREFIXES[name] + value.upper())
    if name in _TIMES:
        return _timestamp(value)
    return dict(value) if name == "metadata" else value


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
