"""The topics the normalizer reads and writes, and the message each of them holds: one row per topic."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook
from tidegate.stripe.v1.dispute_pb2 import DisputeWebhook
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook
from tidegate.stripe.v1.refund_pb2 import RefundWebhook

GROUP: Final = "normalizer"


@dataclass(frozen=True, slots=True)
class Topics:
    """Where the normalizer reads and writes. A deployment has one set; tests on a shared broker have their own."""

    # Message type by topic.
    inputs: Mapping[str, type[Message]]
    normalized: str
    failures: str
    group: str = GROUP


TOPICS: Final = Topics(
    inputs={
        "webhooks.stripe.charge": ChargeWebhook,
        "webhooks.stripe.dispute": DisputeWebhook,
        "webhooks.stripe.payment_intent": PaymentIntentWebhook,
        "webhooks.stripe.refund": RefundWebhook,
    },
    normalized="payments.normalized",
    failures="payments.validation.dlq",
)
