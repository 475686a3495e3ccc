"""Stripe's event around an object."""

from dataclasses import dataclass

from services.simulator.bodies.json import JsonObject
from services.simulator.world import Merchant

# Events that say what the object was before.
_TELLS_PREVIOUS = (
    "charge.captured",
    "charge.refunded",
    "charge.updated",
    "charge.refund.updated",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "refund.updated",
    "refund.failed",
    "customer.updated",
    "customer.subscription.updated",
)


@dataclass(frozen=True, slots=True)
class EventIds:
    """Ids that one event needs; `request` is None for an event that no API request caused."""

    event: str
    request: str | None
    idempotency_key: str | None


def envelope(
    event_type: str, merchant: Merchant, now: JsonObject, before: JsonObject | None, created: int, ids: EventIds
) -> JsonObject:
    """The event that says what `now` has become; `before` is the object just before, where there was one."""
    data: JsonObject = {"object": now}
    if before is not None and event_type in _TELLS_PREVIOUS:
        data["previous_attributes"] = {name: before.get(name) for name in now if before.get(name) != now[name]}
    event: JsonObject = {
        "id": ids.event,
        "object": "event",
        "api_version": merchant.api_version.name,
        "created": created,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": _request(merchant, ids),
        "type": event_type,
    }
    return event if merchant.account is None else {**event, "account": merchant.account}


def _request(merchant: Merchant, ids: EventIds) -> JsonObject | str | None:
    if merchant.api_version.request_is_text:
        return ids.request
    return {"id": ids.request, "idempotency_key": ids.idempotency_key}
