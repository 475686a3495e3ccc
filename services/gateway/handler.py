"""Decides what becomes of one webhook: which message on which topic under which key, or why none. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import orjson
from google.protobuf.message import Message
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE, SIGNATURE_SCHEME_STRIPE_V1
from tidegate.ingress.v1.rejected_webhook_pb2 import RejectedWebhook
from tidegate.ingress.v1.uncontracted_webhook_pb2 import UncontractedWebhook

from services.gateway.decoder import Drift
from services.gateway.providers import stripe
from services.runtime import contract
from services.runtime.errors import BrokenRule

DLQ_TOPIC: Final = "webhooks.dlq"

# Every topic the gateway writes, with its message.
TOPICS: Final[Mapping[str, type[Message]]] = {
    **{to.topic: to.message_type for to in stripe.CONTRACTS},
    stripe.OTHER_TOPIC: UncontractedWebhook,
    DLQ_TOPIC: RejectedWebhook,
}

_MOST_VIOLATIONS: Final = 100
_LONGEST_VERSION: Final = 64
_LONGEST_NAME: Final = 128
# The last second of year 9999, beyond which a Timestamp is invalid.
_LAST_SECOND: Final = 253402300799


@dataclass(frozen=True, slots=True)
class StripeEndpoint:
    """How Stripe's endpoint is configured."""

    secrets: Sequence[stripe.SigningSecret]
    default_merchant_id: str
    tolerance_seconds: int


class Arrival(NamedTuple):
    """One request as it came in."""

    body: bytes
    # The Stripe-Signature header.
    signature: bytes | None
    receipt_id: str
    # When the whole body had been read.
    received_at: datetime


class Publish(NamedTuple):
    """Publish this message, which keeps its contract's rules, and answer 202 once the broker has it."""

    outcome: Literal["accepted", "other", "dead"]
    topic: str
    key: str
    message: Message
    event_id: str
    event_type: str
    api_version: str
    drift: Sequence[Drift] = ()
    # The rules that a dead webhook broke, in the order found.
    rule_ids: Sequence[str] = ()


class Refuse(NamedTuple):
    """Store nothing and answer 401: whoever sent this has not proven to be the provider."""

    reason: stripe.UnverifiedReason


def handle(arrival: Arrival, endpoint: StripeEndpoint) -> Publish | Refuse:
    """What to do with a webhook on Stripe's endpoint."""
    received_at = int(arrival.received_at.timestamp())
    proof = stripe.verify(
        arrival.signature,
        arrival.body,
        endpoint.secrets,
        received_at=received_at,
        tolerance_seconds=endpoint.tolerance_seconds,
    )
    if isinstance(proof, str):
        return Refuse(proof)
    receipt = _receipt(arrival, proof, received_at)
    try:
        body = orjson.loads(arrival.body)
    except orjson.JSONDecodeError as error:
        told = f"the body is not JSON in UTF-8, or is nested too deep, from character {error.pos} on"
        return _dead(_Webhook(arrival, receipt, {}), [BrokenRule("json.malformed", "", told)])
    if type(body) is not dict:
        told = "the body is JSON but no object; a webhook is an event object"
        return _dead(_Webhook(arrival, receipt, {}), [BrokenRule("json.not_object", "", told, contract.redact(body))])
    return _route(_Webhook(arrival, receipt, body), endpoint.default_merchant_id)


class _Webhook(NamedTuple):
    """An arrival that is authentic."""

    arrival: Arrival
    receipt: dict[str, Any]
    # Empty where the request's body is no JSON object.
    body: dict[str, Any]

    def event_id(self) -> str:
        return stripe.event_id(self.body) or f"stripe:receipt:{self.arrival.receipt_id}"

    def carried(self) -> Any:
        """What stands at `data.object`."""
        data = self.body.get("data")
        return data.get("object") if type(data) is dict else None

    def at(self, path: str) -> Any:
        """The JSON value at a path such as "data.object.charges.data[0].id"; None where there is none."""
        value: Any = self.body
        for step in path.replace("[", ".").replace("]", "").split("."):
            if type(value) is dict:
                value = value.get(step)
            elif type(value) is list and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return value

    def text_at(self, path: str, longest: int) -> str:
        """The text at a path; empty where there is none or it is longer."""
        value = self.at(path)
        return value if type(value) is str and len(value) <= longest else ""


def _route(webhook: _Webhook, default_merchant_id: str) -> Publish:
    event_type = webhook.body.get("type")
    if type(event_type) is not str or not event_type:
        return _dead(webhook, [_missing(webhook, "type", "an event states its type as text")])
    contracts = stripe.ROUTES.get(event_type)
    if contracts is None:
        return _other(webhook, event_type, default_merchant_id)
    carried = webhook.carried()
    if type(carried) is not dict:
        return _dead(webhook, [_missing(webhook, "data.object", "an event carries an object")])
    object_type = carried.get("object")
    chosen = contracts.get(object_type) if type(object_type) is str else None
    if chosen is None:
        told = f"an event of this type carries: {', '.join(sorted(contracts))}"
        return _dead(
            webhook, [BrokenRule("stripe.object_unexpected", "data.object.object", told, contract.redact(object_type))]
        )
    return _contracted(webhook, carried, chosen, stripe.merchant(webhook.body, carried, default_merchant_id))


def _contracted(webhook: _Webhook, carried: dict[str, Any], to: stripe.Contract, merchant: stripe.Merchant) -> Publish:
    drift: list[Drift] = []
    event = stripe.decode_event(webhook.body, drift)
    event_type = webhook.body["type"]
    fields: dict[str, Any] = {to.object_type: to.decode_object(carried, drift)}
    message = to.message_type(
        receipt=webhook.receipt,
        merchant_id=merchant.merchant_id,
        type=event_type,
        event=event,
        raw_body=webhook.arrival.body,
        **fields,
    )
    if broken := contract.broken_rules(message):
        rules = [_as_in_body(webhook, rule, to.body_path(rule.field_path, merchant.body_path)) for rule in broken]
        return _dead(webhook, rules, drift)
    return Publish(
        outcome="accepted",
        topic=to.topic,
        key=merchant.merchant_id,
        message=message,
        event_id=f"stripe:{event['id']}",
        event_type=event_type,
        api_version=event.get("api_version", ""),
        drift=drift,
    )


def _other(webhook: _Webhook, event_type: str, default_merchant_id: str) -> Publish:
    carried = webhook.carried()
    merchant = stripe.merchant(webhook.body, carried if type(carried) is dict else {}, default_merchant_id)
    message = UncontractedWebhook(
        receipt=webhook.receipt,
        event_id=webhook.event_id(),
        merchant_id=merchant.merchant_id,
        provider_event_type=event_type,
        object_type=webhook.text_at("data.object.object", _LONGEST_NAME),
        api_version=webhook.text_at("api_version", _LONGEST_VERSION),
        raw_body=webhook.arrival.body,
    )
    created = webhook.body.get("created")
    if type(created) is int and 0 < created <= _LAST_SECOND:
        message.provider_created_at.seconds = created
    if broken := contract.broken_rules(message):
        paths = {"merchant_id": merchant.body_path, "provider_event_type": "type"}
        return _dead(webhook, [_as_in_body(webhook, rule, paths.get(rule.field_path, "")) for rule in broken])
    return Publish(
        outcome="other",
        topic=stripe.OTHER_TOPIC,
        key=merchant.merchant_id,
        message=message,
        event_id=message.event_id,
        event_type=event_type,
        api_version=message.api_version,
    )


def _dead(webhook: _Webhook, broken: Sequence[BrokenRule], drift: Sequence[Drift] = ()) -> Publish:
    told = broken[:_MOST_VIOLATIONS]
    message = RejectedWebhook(
        receipt=webhook.receipt,
        event_id=webhook.event_id(),
        provider_event_type=webhook.text_at("type", _LONGEST_NAME),
        api_version=webhook.text_at("api_version", _LONGEST_VERSION),
        violations=[_violation(rule) for rule in told],
        raw_body=webhook.arrival.body,
    )
    contract.check(message)
    return Publish(
        outcome="dead",
        topic=DLQ_TOPIC,
        key=message.event_id,
        message=message,
        event_id=message.event_id,
        event_type=message.provider_event_type,
        api_version=message.api_version,
        drift=drift,
        rule_ids=[rule.rule_id for rule in told],
    )


def _receipt(arrival: Arrival, proof: stripe.Proof, received_at: int) -> dict[str, Any]:
    return {
        "receipt_id": arrival.receipt_id,
        "provider": PROVIDER_STRIPE,
        "received_at": {"seconds": received_at, "nanos": arrival.received_at.microsecond * 1000},
        "scheme": SIGNATURE_SCHEME_STRIPE_V1,
        "key_id": proof.key_id,
        "signed_at": {"seconds": proof.signed_at},
        "body_sha256": hashlib.sha256(arrival.body).digest(),
        "body_bytes": len(arrival.body),
    }


def _violation(rule: BrokenRule) -> dict[str, str]:
    return {
        "rule_id": rule.rule_id[:128],
        "field_path": rule.field_path[:512],
        "message": rule.message[:1024],
        "redacted_value": rule.redacted_value[:128],
    }


def _missing(webhook: _Webhook, path: str, told: str) -> BrokenRule:
    return BrokenRule("required", path, told, contract.redact(webhook.at(path)))


def _as_in_body(webhook: _Webhook, rule: BrokenRule, path: str) -> BrokenRule:
    """The rule at its place in the body, with the shape of what stands there rather than of what was decoded.

    An index counts the elements that were decoded; those of another type are left out before.
    """
    return BrokenRule(rule.rule_id, path, rule.message, contract.redact(webhook.at(path)))
