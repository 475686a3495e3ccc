"""How Stripe's event types and object statuses are looked up in the tables of the objects."""

from collections.abc import Mapping

from tidegate.payments.v1.unified_payment_event_pb2 import PaymentStatus

from services.normalizer.nulls import present
from services.runtime.contract import redact
from services.runtime.errors import BrokenRule


def unknown_type(event_type: str) -> BrokenRule:
    """An event type that an object's table does not have; the contract's closed list is meant to keep it out."""
    return BrokenRule("type.unmapped", "type", "has no row in the object's mapping table", redact(event_type))


def look_up_status(statuses: Mapping[str, PaymentStatus], status: str) -> PaymentStatus | BrokenRule:
    """What an object's status means; a broken rule where it is absent or new."""
    name = present(status)
    if name is None:
        return BrokenRule(
            "status.missing", "data.object.status", "nothing tells where the object stands", redact(status)
        )
    if name not in statuses:
        return BrokenRule(
            "status.unmapped", "data.object.status", "has no row in the object's status table", redact(status)
        )
    return statuses[name]
