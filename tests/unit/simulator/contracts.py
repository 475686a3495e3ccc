"""Checks a body against the Stripe contracts by other means than the gateway's: protobuf's own JSON reader."""

from google.protobuf import json_format
from google.protobuf.message import Message
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE, SIGNATURE_SCHEME_STRIPE_V1, Receipt
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook
from tidegate.stripe.v1.dispute_pb2 import DisputeWebhook
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook
from tidegate.stripe.v1.refund_pb2 import RefundWebhook

from services.runtime import contract

WEBHOOKS: dict[str, type[Message]] = {
    "payment_intent": PaymentIntentWebhook,
    "charge": ChargeWebhook,
    "refund": RefundWebhook,
    "dispute": DisputeWebhook,
}


def contract_of(body: dict) -> type[Message] | None:  # type: ignore[type-arg]  # parsed JSON
    """The contract for the object that the event carries; None where there is none or its list lacks the type."""
    found = WEBHOOKS.get(body["data"]["object"].get("object"))
    return found if found is not None and body["type"] in contracted_types(found) else None


def contracted_types(webhook: type[Message]) -> set[str]:
    """The closed list of event types of a contract, read from its own rule."""
    rules = webhook.DESCRIPTOR.fields_by_name["type"].GetOptions()
    (extension,) = (value for field, value in rules.ListFields() if field.full_name == "buf.validate.field")
    return set(getattr(extension.string, "in"))


def broken_rules(body: dict) -> list[str]:  # type: ignore[type-arg]  # parsed JSON
    """What keeps the body from its contract: "decode" where it does not fit the message's types, else rule ids."""
    shown = body["data"]["object"]
    webhook = WEBHOOKS[shown["object"]]()
    given = {
        "merchant_id": "m",
        "type": body.get("type"),
        "event": {name: body[name] for name in body if name not in _elsewhere(body)},
        shown["object"]: shown,
    }
    try:
        json_format.ParseDict(given, webhook, ignore_unknown_fields=True)
    except json_format.ParseError:
        return ["decode"]
    webhook.raw_body = b"{}"  # type: ignore[attr-defined]  # every webhook message has one
    webhook.receipt.CopyFrom(_receipt())  # type: ignore[attr-defined]
    return [f"{rule.field_path}: {rule.rule_id}" for rule in contract.broken_rules(webhook)]


def _elsewhere(body: dict) -> set[str]:  # type: ignore[type-arg]  # parsed JSON
    # Before 2017-05-25 a request was its id alone, which the contract's optional message leaves out.
    return {"data", "type", "object", *(["request"] if isinstance(body.get("request"), str) else [])}


def _receipt() -> Receipt:
    receipt = Receipt(
        receipt_id="0" * 32,
        provider=PROVIDER_STRIPE,
        scheme=SIGNATURE_SCHEME_STRIPE_V1,
        key_id="0" * 8,
        body_sha256=bytes(32),
    )
    receipt.received_at.FromSeconds(1)
    return receipt
