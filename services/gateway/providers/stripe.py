"""Stripe's own ways: its signature, which contract takes which event, and where things stand in its bodies.

Source: docs.stripe.com/webhooks#verify-manually and docs.stripe.com/api/events/object, read 2026-11.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, cast

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook
from tidegate.stripe.v1.dispute_pb2 import DisputeWebhook
from tidegate.stripe.v1.event_pb2 import Event
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook
from tidegate.stripe.v1.refund_pb2 import RefundWebhook

from services.gateway.decoder import MessageDecoder

OTHER_TOPIC: Final = "webhooks.stripe.other"

UnverifiedReason = Literal["signature_missing", "signature_malformed", "signature_wrong", "outside_tolerance"]


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """A secret of the endpoint, with the name under which receipts tell which secret it was."""

    value: bytes = field(repr=False)
    # The first 8 hexadecimal digits of the secret's SHA-256.
    key_id: str
    # An HMAC that has taken the secret in already; copied for each webhook.
    _primed: hmac.HMAC = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_primed", hmac.new(self.value, digestmod="sha256"))

    def signature(self, timestamp: bytes, body: bytes) -> bytes:
        """Stripe's v1 signature of a body sent at this time, in hexadecimal digits."""
        mac = self._primed.copy()
        mac.update(timestamp + b".")
        mac.update(body)
        return mac.hexdigest().encode()


class Proof(NamedTuple):
    """How a webhook was proven authentic."""

    key_id: str
    # Stripe's signing time, seconds since 1970.
    signed_at: int


def signing_secrets(setting: str) -> tuple[SigningSecret, ...]:
    """The secrets in a comma-separated setting, more than one during a rotation.

    Blank entries are dropped: an empty key would verify anybody's signature.
    """
    values = [part.strip().encode() for part in setting.split(",")]
    return tuple(SigningSecret(value, hashlib.sha256(value).hexdigest()[:8]) for value in values if value)


def verify(
    header: bytes | None,
    body: bytes,
    secrets: Iterable[SigningSecret],
    *,
    received_at: int,
    tolerance_seconds: int,
) -> Proof | UnverifiedReason:
    """Check a Stripe-Signature over the body's exact bytes: any v1 of any secret accepts, v0 never does.

    The signing time must lie within the tolerance of the time of receipt. Stripe's libraries differ on signing times in
    the future (the .NET one refuses them, others accept any); here they are refused alike, since a signature that is
    dated a year ahead could be replayed for a year.
    """
    if not header:
        return "signature_missing"
    parsed = parse_signature(header)
    if parsed is None:
        return "signature_malformed"
    timestamp, candidates = parsed
    for secret in secrets:
        expected = secret.signature(timestamp, body)
        if any(hmac.compare_digest(expected, candidate) for candidate in candidates):
            signed_at = int(timestamp)
            in_time = abs(received_at - signed_at) <= tolerance_seconds
            return Proof(secret.key_id, signed_at) if in_time else "outside_tolerance"
    return "signature_wrong"


_MOST_TIMESTAMP_DIGITS: Final = 11


def parse_signature(header: bytes) -> tuple[bytes, Sequence[bytes]] | None:
    """The timestamp as sent and every v1 signature, or None for a header that is none of Stripe's."""
    timestamps = []
    candidates = []
    for item in header.split(b","):
        name, _, value = item.strip().partition(b"=")
        if name == b"v1":
            candidates.append(value)
        elif name == b"t":
            timestamps.append(value)
    if len(timestamps) != 1 or not candidates:
        return None
    timestamp = timestamps[0]
    return (timestamp, candidates) if timestamp.isdigit() and len(timestamp) <= _MOST_TIMESTAMP_DIGITS else None


class Contract:
    """One topic's contract: what it takes, and how a body becomes its message."""

    def __init__(self, message_type: type[Message], object_field: str) -> None:
        """Read from the message's descriptor what it takes; `object_field` is Stripe's name of the object too."""
        descriptor = cast("Descriptor", message_type.DESCRIPTOR)
        self.message_type = message_type
        self.object_type = object_field
        self.topic = f"webhooks.stripe.{object_field}"
        self.event_types = frozenset(getattr(_string_rules(descriptor.fields_by_name["type"]), "in"))
        self.decode_object = MessageDecoder(
            descriptor.fields_by_name[object_field].message_type, at="data.object.", structural=frozenset({"object"})
        )

    def body_path(self, field_path: str, merchant_path: str) -> str:
        """Where in Stripe's body the value of a contract's field comes from."""
        head, dot, rest = field_path.partition(".")
        if head == "event":
            return rest
        if head == self.object_type:
            return f"data.object{dot}{rest}"
        return merchant_path if head == "merchant_id" else field_path


def _string_rules(descriptor: FieldDescriptor) -> Any:
    options: Any = descriptor.GetOptions()
    return options.Extensions[validate_pb2.field].string


CONTRACTS: Final = (
    Contract(PaymentIntentWebhook, "payment_intent"),
    Contract(ChargeWebhook, "charge"),
    Contract(RefundWebhook, "refund"),
    Contract(DisputeWebhook, "dispute"),
)

# Event type → object type → contract. One type can carry different objects: charge.refunded a charge or a refund.
ROUTES: Final[Mapping[str, Mapping[str, Contract]]] = {
    event_type: {contract.object_type: contract for contract in CONTRACTS if event_type in contract.event_types}
    for event_type in frozenset().union(*(contract.event_types for contract in CONTRACTS))
}

# `object`, `data` and `type` are the envelope's structure, which each topic's message holds in its own way.
decode_event: Final = MessageDecoder(
    cast("Descriptor", Event.DESCRIPTOR), structural=frozenset({"object", "data", "type"})
)

_EVENT_ID: Final = re.compile(_string_rules(Event.DESCRIPTOR.fields_by_name["id"]).pattern)


def event_id(body: object) -> str | None:
    """`stripe:` and the body's event id, or None where it has none that the contract would take."""
    given = body.get("id") if isinstance(body, dict) else None
    return f"stripe:{given}" if isinstance(given, str) and _EVENT_ID.fullmatch(given) else None


class Merchant(NamedTuple):
    """Who a webhook is for, and what in the body says so. An empty id means that the body's word is unusable."""

    merchant_id: str
    body_path: str


def merchant(body: Mapping[str, Any], carried: Mapping[str, Any], default: str) -> Merchant:
    """The Connect account, else the object's `metadata.merchant_id`, else the endpoint's default.

    A word that is there but no text does not fall through: the payment would be booked on somebody else.
    """
    account = body.get("account")
    if account is not None:
        return Merchant(_text(account), "account")
    metadata = carried.get("metadata")
    named = metadata.get("merchant_id") if isinstance(metadata, dict) else None
    if named is not None and named != "":
        return Merchant(_text(named), "data.object.metadata.merchant_id")
    return Merchant(default, "account")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
